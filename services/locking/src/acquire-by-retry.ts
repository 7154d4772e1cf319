import { LockTimeoutError, LockUnavailableError } from './errors.ts';
import type { Place } from './local-queue.ts';
import type { Lease } from './lock.ts';
import { systemClock } from './timers.ts';

/** The outcome of one try. */
export type TryResult =
  | { readonly lease: Lease }
  /** It is not free. Who holds it, where that is known. */
  | { readonly takenBy: string | undefined }
  | NoAnswer;

export interface NoAnswer {
  readonly noAnswer: unknown;
  /** The question may have been executed, so the lock may be ours. */
  readonly mayHold: boolean;
  /** Asking again will not help. */
  readonly inVain: boolean;
}

/** How an algorithm without a queue obtains a lock: it tries, and tries again. */
export interface Tries {
  /** One try, bounded in time. Never rejects. */
  once(): Promise<TryResult>;
  /** Called at the end of a wait that got no lease although a try may have taken the lock. */
  giveBack(): Promise<unknown>;
}

export interface Wait {
  readonly name: string;
  /** In milliseconds, from `sinceMs`. */
  readonly waitMs: number;
  /** When the caller asked, by the monotonic clock. */
  readonly sinceMs: number;
  /** Average time between two tries, in milliseconds. */
  readonly retryDelayMs: number;
  /** Rejects to end the wait before its time. */
  readonly interrupted: Promise<never>;
  /** Whether a holder is a lease of this same service. */
  readonly isHeldHere: (holder: string | undefined) => boolean;
  /** Its place in the local queue; none: it tries beside all others. */
  readonly place?: Place | undefined;
  /** Is given the work that goes on after the wait has ended. */
  readonly inBackground: (work: Promise<unknown>) => void;
}

/**
 * The default time between two tries, on average. Redis answers some tens of thousands of tries a second: at 50 ms a
 * thousand waiters are a noticeable but bearable load, and a lock that comes free is taken within 50 ms, mostly.
 */
export const retryDelayDefaultMs = 50;

/**
 * Tries until the lock is obtained or the wait is over. The delay has full jitter (anything from nothing to twice its
 * average), so that two waiters that tried at the same time do not do so again and again.
 */
export async function acquireByRetry(tries: Tries, wait: Wait): Promise<Lease> {
  const { name, waitMs, retryDelayMs, interrupted, place } = wait;
  const waitUntilMs = wait.sinceMs + waitMs;
  let underWay: Promise<TryResult> | undefined;
  let mayHold = false;

  function pause(remainingMs: number): Promise<void> {
    return sleep(Math.min(Math.random() * 2 * retryDelayMs, remainingMs), interrupted, place?.nextRelease());
  }

  try {
    // A waiter whose time ends before it is first still tries once: the lock may be free by now.
    if (place !== undefined) await sleep(waitUntilMs - systemClock.now(), interrupted, place.isFirst);
    if (place?.isHeldHere === true) await pause(waitUntilMs - systemClock.now());
    for (;;) {
      underWay = tries.once();
      const result = await Promise.race([underWay, interrupted]);
      underWay = undefined;
      if ('lease' in result) return result.lease;

      const remainingMs = waitUntilMs - systemClock.now();
      if ('noAnswer' in result) {
        mayHold ||= result.mayHold;
        if (result.inVain || remainingMs <= 0) {
          throw new LockUnavailableError({ lock: name, cause: result.noAnswer });
        }
      } else if (remainingMs <= 0) {
        const holder = result.takenBy;
        throw new LockTimeoutError({ lock: name, holder, heldHere: wait.isHeldHere(holder), waitMs });
      }
      // The last try is made at the end of the wait, not before it: until then the lock may become free.
      await pause(remainingMs);
    }
  } catch (error) {
    wait.inBackground(giveUp(tries, underWay, mayHold));
    throw error;
  }
}

/** The caller waits no more. A try may still be under way, and what it takes must be released. */
async function giveUp(tries: Tries, underWay: Promise<TryResult> | undefined, mayHold: boolean) {
  const last = await underWay;
  if (last !== undefined && 'lease' in last) {
    await last.lease.release();
  } else if (mayHold || (last !== undefined && 'noAnswer' in last && last.mayHold)) {
    await tries.giveBack();
  }
}

/** Resolves after that time, or when `woken` does; rejects when `interrupted` does. */
async function sleep(ms: number, interrupted: Promise<never>, woken?: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  try {
    await Promise.race(woken === undefined ? [promise, interrupted] : [promise, interrupted, woken]);
  } finally {
    clearTimeout(timer);
  }
}
