import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { expect, inject, test } from 'vitest';

import { closeRedis, openRedis } from '#src/redis.ts';

test('a client that ioredis has given up comes back, until we close it', async () => {
  const redis = openRedis({ url: inject('redisUrl') }, pino({ enabled: false }));
  await once(redis, 'ready');
  redis.disconnect(); // it stays closed, as after a failover that came at the wrong moment
  await once(redis, 'end');
  await once(redis, 'ready');
  expect(await redis.ping()).toBe('PONG');

  closeRedis(redis);
  await once(redis, 'end');
  let isBack = false;
  redis.once('connecting', () => (isBack = true));
  // Longer than the pause before the first try.
  await sleep(300);
  expect(isBack).toBe(false);
});
