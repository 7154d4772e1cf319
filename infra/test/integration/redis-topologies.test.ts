import { describe, expect, test } from 'vitest';

import { findBinary, selfSign, startRedis, startRedisCluster } from '../../servers/index.ts';
import { askRedis } from '../../servers/redis.ts';

// Several servers that must reach each other are plain processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

describe.skipIf(missing)(`several redis servers${suffix}`, () => {
  test('the nodes of a cluster share the slots', async () => {
    await using cluster = await startRedisCluster(3);
    const replies = await Promise.all(cluster.nodes.map(({ url }) => askRedis(url, 'SET seat A1')));
    expect(replies.filter((reply) => reply.startsWith('+OK'))).toHaveLength(1);
    expect(replies.filter((reply) => reply.startsWith('-MOVED'))).toHaveLength(2);
  });
});

test('a server with a certificate speaks TLS, to whoever knows the certificate, and nothing else', async () => {
  const [tls, another] = [await selfSign(), await selfSign()];
  await using server = await startRedis({ tls });
  expect(server.url).toMatch(/^rediss:/);
  await server.restart();
  expect(await askRedis(server.url, 'PING', tls)).toMatch(/^\+PONG/);
  await expect(askRedis(server.url, 'PING', another)).rejects.toThrow(/self.signed/);
  await expect(askRedis(server.url, 'PING')).rejects.toThrow(/ECONNRESET|abort/);
});
