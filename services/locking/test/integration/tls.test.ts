import { selfSign, startRedis, type Certificate, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock, type Locks } from '#src/index.ts';

// The server speaks TLS and nothing else, so whatever works here goes through TLS.
const stack = new AsyncDisposableStack();
let certificate: Certificate;
let server: Server;
beforeAll(async () => {
  certificate = await selfSign();
  server = stack.use(await startRedis({ tls: certificate }));
});
afterAll(() => stack.disposeAsync());

function connect(db = 0): Redis {
  const redis = new Redis(server.url, { db, tls: { ca: certificate.certificate } });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

describe.each([
  { kind: 'queue lock', open: (): Locks => createQueueLock(connect()) },
  { kind: 'simple lock', open: (): Locks => createSimpleLock(connect()) },
  // (Three databases of one server stand for three servers.)
  { kind: 'quorum lock', open: (): Locks => createQuorumLock([0, 1, 2].map((db) => connect(db))) },
])('the $kind over TLS', ({ open }) => {
  test('goes from one process to the next, and is renewed', async () => {
    await using locks = open();
    await using other = open();
    const lease = await locks.acquire('seat');
    await lease.extend();
    const next = other.acquire('seat', { waitMs: 30_000 });
    await lease.release();
    expect((await next).token).toBeGreaterThan(lease.token);
  });
});
