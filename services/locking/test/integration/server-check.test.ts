import { startRedis } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { createQueueLock } from '#src/index.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

function open(url: string) {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return createQueueLock(redis, { commandTimeoutMs: 2_000 });
}

describe('the check at the start', () => {
  test('finds nothing wrong with a Redis that is set up for locks', async () => {
    await using locks = open(inject('redisUrl'));
    expect(await locks.check()).toEqual([]);
  });

  test('tells that keys may be evicted: a warning, and an error once there is a limit to memory', async () => {
    await using server = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
    await using locks = open(server.url);
    expect(await locks.check()).toMatchObject([{ level: 'warning' }]);
    const redis = new Redis(server.url);
    stack.defer(() => redis.disconnect());
    await redis.config('SET', 'maxmemory', '100mb');
    expect(await locks.check()).toMatchObject([{ level: 'error' }]);
  });

  test('tells that Redis cannot be reached', async () => {
    await using locks = open('redis://127.0.0.1:1');
    expect(await locks.check()).toMatchObject([{ level: 'error' }]);
  });
});
