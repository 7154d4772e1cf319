import { startRedis } from '@lastseat/infra/servers';
import { pino } from 'pino';
import { expect, inject, test } from 'vitest';

import { readConfig } from '#src/config.ts';
import { openContext } from '#src/context.ts';

test('a Redis that is not fit to keep locks is an error in the log, and each server of the quorum is looked at too', async () => {
  await using limited = await startRedis({
    settings: { 'maxmemory-policy': 'allkeys-lru', maxmemory: '100mb' },
  });
  await using evicting = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
  await using fit = await startRedis();
  const logged: string[] = [];
  const write = (line: string) => {
    const { level, finding } = JSON.parse(line) as { level: number; finding?: { server?: number } };
    if (finding !== undefined) logged.push(`${pino.levels.labels[level]} ${finding.server ?? 'the one'}`);
  };
  const config = readConfig({
    LAB_MODE: 'on',
    DATABASE_URL: inject('postgresUrl'),
    REDIS_URL: limited.url,
    QUORUM_REDIS_URLS: [fit.url, evicting.url, inject('redisUrl')].join(','),
  });
  await using _context = openContext(config, pino({ level: 'info' }, { write }));
  await expect.poll(() => logged.toSorted()).toEqual(['error the one', 'warn 1']);
});
