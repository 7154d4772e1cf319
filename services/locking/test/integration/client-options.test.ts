import { startRedis, type Server } from '@lastseat/infra/servers';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { createSentinel } from 'redis';
import { createSentinel as createLowestSentinel } from 'redis-lowest';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';

import { createQueueLock, createQuorumLock, createSimpleLock } from '#src/index.ts';

type RedisClient = Redis | Cluster;

const kinds = {
  'queue lock': (redis: RedisClient, options = {}) => createQueueLock(redis, options),
  'simple lock': (redis: RedisClient, options = {}) => createSimpleLock(redis, options),
  'quorum lock': (redis: RedisClient, options = {}) =>
    createQuorumLock([client({ lazyConnect: true }), client({ lazyConnect: true }), redis], options),
};
const kindNames = Object.keys(kinds) as (keyof typeof kinds)[];

const clients: RedisClient[] = [];
function client(options: RedisOptions): Redis {
  const redis = new Redis(inject('redisUrl'), options as object);
  redis.on('error', () => undefined);
  clients.push(redis);
  return redis;
}
afterEach(() => {
  for (const redis of clients.splice(0)) redis.disconnect();
});

let uses = 0;

function withPrefix(keyPrefix: string): Redis {
  return client({ lazyConnect: true, keyPrefix });
}

/** All that can be done with a lock, so that each kind of reply is read once. */
async function useQueueLock(redis: RedisClient): Promise<void> {
  uses += 1;
  const options = { keyPrefix: `client-options/${process.pid}/${uses}:`, waitMs: 20_000 };
  await using one = createQueueLock(redis, options);
  await using other = createQueueLock(redis, options);
  const lease = await one.acquire('seat');
  expect(lease.token).toBeTypeOf('number');
  expect(await other.tryAcquire('seat')).toBeNull();
  const waits = [1, 2, 3].flatMap(() =>
    [one, other].map((locks) => locks.withLock('seat', ({ token }) => token)),
  );
  await lease.extend();
  expect((await other.inspect()).held).toMatchObject([{ name: 'seat', clientId: one.clientId }]);
  await lease.release();
  const tokens = await Promise.all(waits);
  expect(tokens.every((token) => token > lease.token)).toBe(true);
  const robbed = await one.acquire('seat');
  const thief = await other.steal('seat');
  await expect(robbed.release()).rejects.toMatchObject({ name: 'LockLostError', why: 'taken' });
  await thief.release();
}

/** What changes how replies look, how errors are answered, or when commands are sent. */
const clientOptions: RedisOptions[] = [
  { stringNumbers: true },
  { replyMapping: 'resp3' },
  { protocol: 2 },
  { enableAutoPipelining: true },
  { enableOfflineQueue: false },
  { enableReadyCheck: false },
  { lazyConnect: true },
  { autoResubscribe: false },
  { autoResendUnfulfilledCommands: false },
  { commandTimeout: 1 },
  { maxRetriesPerRequest: 0 },
  { retryStrategy: () => null },
  { reconnectOnError: () => 2 },
  { readOnly: true },
  { keyPrefix: 'outer:' },
];

describe('the queue lock', () => {
  test.each(clientOptions)('works whatever the client is set to: %o', async (options) => {
    await expect(useQueueLock(client(options))).resolves.toBeUndefined();
  });

  describe('on a cluster', () => {
    let server: Server;
    beforeAll(async () => {
      server = await startRedis({
        settings: { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' },
      });
      const direct = new Redis(server.url);
      await direct.cluster('ADDSLOTSRANGE', 0, 16_383);
      await vi.waitUntil(async () => (await direct.cluster('INFO')).includes('cluster_state:ok'), 20_000);
      direct.disconnect();
    });
    afterAll(() => server[Symbol.asyncDispose]());

    test.each([
      { redisOptions: { stringNumbers: true } },
      { redisOptions: { commandTimeout: 1 } },
      { enableAutoPipelining: true },
      { enableOfflineQueue: false },
      { scaleReads: 'slave' as const },
      { shardedSubscribers: true },
      { keyPrefix: 'outer:' },
    ])('works whatever the client is set to: %o', async (options) => {
      const natMap = () => ({ host: '127.0.0.1', port: server.port });
      const cluster = new Cluster([server.url], { ...options, natMap });
      cluster.on('error', () => undefined);
      clients.push(cluster);
      await expect(useQueueLock(cluster)).resolves.toBeUndefined();
    });
  });
});

describe.each(kindNames)('the %s refuses at its creation', (kind) => {
  const create = (redis: RedisClient, options: object) => () => kinds[kind](redis, options);

  test.each([
    ['an empty prefix', { keyPrefix: '' }, 'keyPrefix'],
    ['a prefix that begins with a brace', { keyPrefix: '}' }, 'keyPrefix'],
    ['a prefix that is none', { keyPrefix: 7 }, 'keyPrefix'],
    ['a client id that is none', { clientId: 7 }, 'clientId'],
    ['a client id that Redis could not store', { clientId: '\u{d800}' }, 'clientId'],
    ['a listener that is none', { onEvent: 'log' }, 'onEvent'],
    ['a listener of failures that is none', { onReleaseFailed: 'log' }, 'onReleaseFailed'],
    ['a TTL in words', { ttlMs: 'long' }, 'ttlMs'],
  ])('%s', (_what, options, named) => {
    expect(create(client({ lazyConnect: true }), options)).toThrow(new RegExp(`^${named} must [^.]*\\.$`));
  });

  test("a client's own prefix that leaves keys without a hash tag", () => {
    expect(create(withPrefix('a{}:'), {})).toThrow(/^keyPrefix of the Redis client, .*\.$/);
    for (const keyPrefix of ['{', 'a{', '{a}:', '}']) expect(create(withPrefix(keyPrefix), {})).not.toThrow();
  });

  test('a Sentinel of node-redis, whatever its version, and says what to take', () => {
    const options = { name: 'any', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] };
    for (const sentinel of [createSentinel(options), createLowestSentinel(options)]) {
      expect(create(sentinel as never, {})).toThrow(/^A lock takes .* For Sentinel .* ioredis/);
    }
  });

  test('no client at all', () => {
    expect(create(undefined as never, {})).toThrow(TypeError);
  });
});

test.each(['simple lock', 'quorum lock'] as const)(
  'the %s, which uses the client itself, refuses one that turns numbers into strings',
  (kind) => {
    const redis = client({ lazyConnect: true, stringNumbers: true });
    expect(() => kinds[kind](redis)).toThrow(/^stringNumbers of the Redis client .*\.$/);
    const cluster = new Cluster([inject('redisUrl')], {
      lazyConnect: true,
      redisOptions: { stringNumbers: true },
    });
    clients.push(cluster);
    expect(() => kinds[kind](cluster)).toThrow(/^stringNumbers /);
  },
);
