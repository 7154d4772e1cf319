import { startRedis } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock } from '#src/index.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

function connect(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

const unreachable = 'redis://127.0.0.1:1';

describe.each([
  { kind: 'queue lock', create: createQueueLock },
  { kind: 'simple lock', create: createSimpleLock },
])('the check of the $kind at the start', ({ create }) => {
  const open = (url: string) => create(connect(url), { commandTimeoutMs: 2_000 });

  test('finds nothing wrong with a Redis that is set up for locks', async () => {
    await using locks = open(inject('redisUrl'));
    expect(await locks.check()).toEqual([]);
  });

  test('tells that keys may be evicted: a warning, and an error once there is a limit to memory', async () => {
    await using server = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
    await using locks = open(server.url);
    expect(await locks.check()).toMatchObject([{ level: 'warning' }]);
    await connect(server.url).config('SET', 'maxmemory', '100mb');
    expect(await locks.check()).toMatchObject([{ level: 'error' }]);
  });

  test('tells that Redis cannot be reached', async () => {
    await using locks = open(unreachable);
    expect(await locks.check()).toMatchObject([{ level: 'error' }]);
  });
});

test('the check of the quorum lock tells what is wrong with which server, and does not stop at the first', async () => {
  await using evicting = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
  const urls = [unreachable, inject('redisUrl'), evicting.url];
  await using locks = createQuorumLock(urls.map(connect));
  expect(await locks.check()).toMatchObject([
    { server: 0, level: 'error', message: expect.stringContaining('cannot be asked') as string },
    { server: 2, level: 'warning', message: expect.stringContaining('allkeys-lru') as string },
  ]);
});
