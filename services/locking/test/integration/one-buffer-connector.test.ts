import { randomBytes } from 'node:crypto';

import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { OneBufferConnector } from '#src/queue/one-buffer-connector.ts';

let redis: Redis;

beforeAll(() => {
  const { hostname, port } = new URL(inject('redisUrl'));
  redis = new Redis({ host: hostname, port: Number(port), Connector: OneBufferConnector });
});

afterAll(() => redis.disconnect());

test('replies larger than the buffer, and short ones among them, arrive as they were sent', async () => {
  const key = `one-buffer-${process.pid}`;
  const large = randomBytes(300_000);
  await redis.set(key, large, 'PX', 60_000);
  const replies = Array.from(
    { length: 20 },
    (_, i) => [redis.getBuffer(key), redis.echo(`echo ${i}`)] as const,
  );
  for (const [i, [value, echo]] of replies.entries()) {
    expect((await value)?.equals(large)).toBe(true);
    expect(await echo).toBe(`echo ${i}`);
  }
  await redis.del(key);
});

test('a connection that is refused tells why', async () => {
  const nobody = new Redis({
    port: 1,
    Connector: OneBufferConnector,
    lazyConnect: true,
    retryStrategy: null,
  });
  nobody.on('error', () => undefined);
  await expect(nobody.connect()).rejects.toThrow(/closed|ECONNREFUSED/);
  await expect(nobody.ping()).rejects.toThrow(/closed/);
});

test.each<[string, RedisOptions, boolean]>([
  ['a plain socket', { host: 'redis' }, true],
  ['a path', { path: '/run/redis.sock' }, true],
  ['TLS', { tls: {} }, false],
  ['Sentinel', { sentinels: [{ host: 'sentinel', port: 26_379 }], name: 'main' }, false],
  ["a connector of the caller's own", { Connector: OneBufferConnector }, false],
])('stands in for %s: %s', (_what, options, expected) => {
  expect(OneBufferConnector.isFor(options)).toBe(expected);
});
