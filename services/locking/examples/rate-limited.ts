import { setTimeout as sleep } from 'node:timers/promises';

import type { Locks } from '@lastseat/locking';

/**
 * An upstream that takes one call at a time, and no two within `intervalMs`, from all processes together. Those who wait
 * are served in the order in which they came.
 *
 * `maxHoldMs` is for an upstream that hangs: the call is aborted, and the others go on. A rate limit is a courtesy and no
 * promise, so nothing is fenced here: when a lease is lost, two calls may come close to each other.
 */
export function callUpstream<T>(
  locks: Locks,
  call: (signal: AbortSignal) => Promise<T>,
  { intervalMs, signal }: { intervalMs: number; signal?: AbortSignal | undefined },
): Promise<T> {
  const options = { waitMs: 30_000, maxHoldMs: intervalMs + 10_000, signal };
  return locks.withLock('upstream', options, async (lease) => {
    // Kept for the interval also where the call was quicker, or has failed.
    const interval = sleep(intervalMs, undefined, { signal: lease.signal });
    try {
      return await call(lease.signal);
    } finally {
      await interval;
    }
  });
}
