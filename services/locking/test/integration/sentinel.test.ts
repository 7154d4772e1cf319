import { findBinary, startSentinelGroup, type SentinelGroup, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createQueueLock, createSimpleLock, type Locks } from '#src/index.ts';

import { startCrowd, type Crowd } from './crowd.ts';

// The servers must reach each other, which from one container to another takes a network of their own: they are plain
// processes.
const missing = findBinary('redis-server') === null;
const title = 'a failover by Sentinel: nobody waits too long, tokens rise, no seat is sold twice';

/**
 * Nobody waits longer, whatever becomes of the primary. Twice what PROTOCOL.md says: a busy machine is slow. (The
 * sentinels need some three seconds here, a silent connection is given up after ten, and a lease that nobody can release
 * ends with its TTL.)
 */
const boundMs = 36_000;
const options = { waitMs: boundMs, ttlMs: 5_000 };
const queueOptions = { ...options, unavailableAfterMs: boundMs };

let stack: AsyncDisposableStack;
let group: SentinelGroup;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  if (!missing) group = stack.use(await startSentinelGroup({ downAfterMs: 1_000 }));
});
afterEach(() => stack.disposeAsync());

function connect({ failoverDetector = false } = {}): Redis {
  const sentinels = group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  const redis = new Redis({ sentinels, name: group.name, failoverDetector });
  redis.on('error', () => undefined);
  stack.defer(() => redis.disconnect());
  return redis;
}

function crowdOf(create: () => Locks): Crowd {
  const services = [1, 2, 3].map(() => stack.use(create()));
  return startCrowd(services, 20);
}

async function expectServedOn(
  crowds: readonly Crowd[],
  end: (primary: Server) => Promise<void>,
): Promise<void> {
  await Promise.all(crowds.map((crowd) => crowd.sellsMore(50)));
  const primary = await group.primary();
  const grantsBefore = crowds.map(({ tokens }) => tokens.length);
  await end(primary);
  await expect.poll(() => group.primary(), { timeout: boundMs }).not.toBe(primary);
  await Promise.all(crowds.map((crowd) => crowd.sellsMore(150)));
  await Promise.all(crowds.map((crowd) => crowd.end()));
  for (const [i, { sales, tokens, longestWaitMs }] of crowds.entries()) {
    const [before, after] = [tokens.slice(0, grantsBefore[i]), tokens.slice(grantsBefore[i])];
    expect(sales.every((times) => times === 1)).toBe(true);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(Math.max(...after)).toBeGreaterThan(Math.max(...before));
    expect(longestWaitMs).toBeLessThan(boundMs);
  }
}

describe.skipIf(missing)(
  missing ? `${title} (no redis-server installed)` : title,
  { timeout: 120_000 },
  () => {
    test('when the primary is killed', async () => {
      const crowds = [
        crowdOf(() => createQueueLock(connect(), queueOptions)),
        crowdOf(() =>
          createQueueLock(connect(), { ...queueOptions, coalesce: false, keyPrefix: 'one-by-one:' }),
        ),
        crowdOf(() => createSimpleLock(connect(), options)),
      ];
      await expectServedOn(crowds, (primary) => primary.kill());
    });

    test('when the primary is stopped, so that connections to it stay open and silent', async () => {
      const crowds = [
        crowdOf(() => createQueueLock(connect(), queueOptions)),
        crowdOf(() =>
          createQueueLock(connect({ failoverDetector: true }), { ...queueOptions, keyPrefix: 'told:' }),
        ),
        // It uses the client that it is given, which must notice by itself.
        crowdOf(() => createSimpleLock(connect({ failoverDetector: true }), options)),
      ];
      await expectServedOn(crowds, (primary) => primary.pause());
    });
  },
);
