import { describe, expect, test } from 'vitest';

import {
  findBinary,
  selfSign,
  startRedis,
  startRedisCluster,
  startSentinelGroup,
} from '../../servers/index.ts';
import { askRedis } from '../../servers/redis.ts';

// Several servers that must reach each other are plain processes.
const missing = findBinary('redis-server') === null;
const suffix = missing ? ' (no redis-server installed)' : '';

describe.skipIf(missing)(`several redis servers${suffix}`, () => {
  test('sentinels make a replica the primary when the primary is killed', async () => {
    await using group = await startSentinelGroup({ downAfterMs: 500 });
    const first = await group.primary();
    expect(first).toBe(group.nodes[0]);
    expect(await askRedis(first.url, 'INFO replication')).toContain('connected_slaves:2');
    await first.kill();
    await expect.poll(() => group.primary(), { timeout: 40_000 }).not.toBe(first);
    const next = await group.primary();
    expect(await askRedis(next.url, 'SET seat A1')).toMatch(/^\+OK/);
    await first.restart();
    await expect.poll(() => askRedis(first.url, 'GET seat'), { timeout: 40_000 }).toContain('A1');
  });

  test('the nodes of a cluster share the slots', async () => {
    await using cluster = await startRedisCluster(3);
    const replies = await Promise.all(cluster.nodes.map(({ url }) => askRedis(url, 'SET seat A1')));
    expect(replies.map((reply) => /^(\+OK|-MOVED)/.exec(reply)?.[0]).toSorted()).toEqual([
      '+OK',
      '-MOVED',
      '-MOVED',
    ]);
  });
});

test('a server with a certificate speaks TLS, to whoever knows the certificate, and nothing else', async () => {
  const [tls, another] = [await selfSign(), await selfSign()];
  await using server = await startRedis({ tls });
  expect(server.url).toMatch(/^rediss:/);
  await server.restart();
  expect(await askRedis(server.url, 'PING', tls)).toMatch(/^\+PONG/);
  await expect(askRedis(server.url, 'PING', another)).rejects.toThrow(/self.signed/);
  await expect(askRedis(server.url, 'PING')).rejects.toThrow();
});
