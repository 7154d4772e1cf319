import type { AcquireSettings } from './acquire-options.ts';
import { systemClock } from './clock.ts';
import { LockTimeoutError, LockUnavailableError } from './errors.ts';
import type { LockEventListener } from './lock-events.ts';
import type { Lease } from './lock.ts';

/** What one try came to. */
export type TryResult =
  | { readonly lease: Lease }
  /** Not free; held by whom, where that is known. */
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
  /** Called at the end of a wait that got no lease although a try may have taken the lock. Must not throw. */
  giveBack(): void;
}

export interface RetryConfig {
  /** Average time between two tries, in milliseconds. */
  readonly retryDelayMs: number;
  readonly emit: LockEventListener | undefined;
  /** How many wait in this process, this one included. */
  readonly waiting: () => number;
}

/**
 * The default time between two tries, on average. Redis answers some tens of thousands of tries a second: at 50 ms a
 * thousand waiters are a noticeable but bearable load, and a lock that comes free is taken within 50 ms, mostly.
 */
export const retryDelayDefaultMs = 50;

/**
 * Tries until the lock is obtained, the wait is over, or the caller's signal aborts. The delay has full jitter
 * (anything from nothing to twice its average), so that waiters who met once do not meet again at every try.
 */
export async function acquireByRetry(
  name: string,
  { waitMs, signal }: Pick<AcquireSettings, 'waitMs' | 'signal'>,
  tries: Tries,
  { retryDelayMs, emit, waiting }: RetryConfig,
): Promise<Lease> {
  const sinceMs = systemClock.now();
  const waitUntilMs = sinceMs + waitMs;
  let underWay: Promise<TryResult> | undefined;
  let mayHold = false;
  try {
    for (;;) {
      underWay = tries.once();
      const result = await unlessAborted(underWay, signal);
      underWay = undefined;
      if ('lease' in result) {
        const { token } = result.lease;
        const grant = { lock: name, token, waitMs: systemClock.now() - sinceMs, waiting: waiting() - 1 };
        emit?.({ type: 'granted', from: 'free', ...grant });
        return result.lease;
      }

      const remainingMs = waitUntilMs - systemClock.now();
      if ('noAnswer' in result) {
        mayHold ||= result.mayHold;
        if (result.inVain || remainingMs <= 0) {
          throw new LockUnavailableError({ lock: name, cause: result.noAnswer });
        }
      } else if (remainingMs <= 0) {
        throw new LockTimeoutError({ lock: name, holder: result.takenBy, waitMs });
      }
      // The last try comes when the time is over and not before: the lock may come free until then.
      await sleep(Math.min(Math.random() * 2 * retryDelayMs, remainingMs), signal);
    }
  } catch (error) {
    void giveUp(tries, underWay, mayHold);
    emit?.({ type: 'refused', lock: name, waitMs: systemClock.now() - sinceMs, why: whyRefused(error) });
    throw error;
  }
}

function whyRefused(error: unknown): 'timeout' | 'unavailable' | 'aborted' {
  if (error instanceof LockTimeoutError) return 'timeout';
  return error instanceof LockUnavailableError ? 'unavailable' : 'aborted';
}

/** The caller has gone, but a try may still be under way, and what it takes must be given back. */
async function giveUp(tries: Tries, underWay: Promise<TryResult> | undefined, mayHold: boolean) {
  const last = await underWay;
  if (last !== undefined && 'lease' in last) {
    // Its failure is the lease's own business: it tries again until the lock has expired.
    await last.lease.release().catch(() => undefined);
  } else if (mayHold || (last !== undefined && 'noAnswer' in last && last.mayHold)) {
    tries.giveBack();
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return unlessAborted(promise, signal).finally(() => clearTimeout(timer));
}
