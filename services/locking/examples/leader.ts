import { setTimeout as sleep } from 'node:timers/promises';

import { LockError, type Locks } from '@lastseat/locking';

/**
 * A job that one of several processes runs: start this in each of them. The first one leads; where it dies, the next one
 * leads after `ttlMs` at the latest; where it stops in order, at once.
 *
 * @param job works until its signal aborts: this process leads no more, or `stop` has aborted
 */
export async function leadWhileRunning(
  locks: Locks,
  name: string,
  job: (signal: AbortSignal, term: number) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await locks.withLock(name, { waitMs: 60_000, ttlMs: 5_000, signal: stop }, async (lease) => {
        // The token numbers the terms: what the job writes can be refused when a later leader has written.
        await job(AbortSignal.any([lease.signal, stop]), lease.token);
      });
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof LockError)) throw error;
      // Another one leads still, this one led no more, or Redis is away.
      await sleep(1_000 * Math.random(), undefined, { signal: stop }).catch(() => undefined);
    }
  }
}
