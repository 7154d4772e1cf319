// (Imported, since the global one is a getter that is called for each use.)
import { performance } from 'node:perf_hooks';

/** Time as the lock sees it, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds by a clock that never steps back (its zero means nothing). */
  now(): number;
  /** Calls `fn` once, no sooner than `delayMs` from now. */
  setTimer(fn: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
}

/**
 * The monotonic clock of this process. Its timers keep no process alive: whoever waits for a lock waits for Redis,
 * and the connection to Redis does that already.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (fn, delayMs) => setTimeout(fn, delayMs).unref(),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
