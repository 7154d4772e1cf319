// (Imported, since the global one is a getter that is called for each use.)
import { performance } from 'node:perf_hooks';

/** Time as the lock sees it, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds by a clock that never steps back (its zero means nothing). */
  now(): number;
  /** Calls `fn` once, no sooner than `delayMs` from now. */
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/**
 * The monotonic clock of this process. Its timers keep no process alive: whoever waits for a lock waits for Redis,
 * and the connection to Redis does that already.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (fn, delayMs) => setTimeout(fn, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
