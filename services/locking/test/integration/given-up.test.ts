import { connect } from 'node:net';

import { startRedis } from '@lastseat/infra/servers';
import { AbstractConnector, Redis } from 'ioredis';
import { expect, test } from 'vitest';

import { createQueueLock } from '#src/index.ts';

// ioredis gives up a connection for good where its connector fails. That of Sentinel does so when it is told of a failover
// at the moment in which it asks for the primary.
test('a connection of the lock that ioredis has given up is made anew', async () => {
  await using server = await startRedis();
  let failures = 0;
  let failed = 0;
  class FailingConnector extends AbstractConnector {
    constructor() {
      super(0);
    }
    connect() {
      this.connecting = true;
      if (failures > 0) {
        failures -= 1;
        failed += 1;
        return Promise.reject(new Error('Connection is closed.'));
      }
      this.stream = connect(server.port, '127.0.0.1');
      return Promise.resolve(this.stream);
    }
  }
  const redis = new Redis({ Connector: FailingConnector, lazyConnect: true });
  const admin = new Redis(server.url);
  try {
    await using locks = createQueueLock(redis, { waitMs: 1_000 });
    await (await locks.acquire('seat')).release();

    failures = 2;
    await admin.call('CLIENT', 'KILL', 'SKIPME', 'yes');
    const outcome = () =>
      locks.acquire('seat').then(
        async (lease) => {
          await lease.release();
          return 'granted';
        },
        (error: Error) => error.name,
      );
    await expect.poll(() => failed, { timeout: 10_000 }).toBe(2);
    await expect.poll(outcome, { timeout: 20_000 }).toBe('granted');
  } finally {
    redis.disconnect();
    admin.disconnect();
  }
});
