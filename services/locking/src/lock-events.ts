import type { LossReason } from './errors.ts';

/**
 * What happens inside a lock service, for metrics. The listener is called synchronously, while the lock works: count and
 * return.
 */
export type LockEvent =
  /**
   * A caller got the lock. `from`: it was `free`; it came by the `queue`, from another process; from a caller before
   * it in this process (`tenure`); or this process had kept it (`linger`). `waiting`: callers that go on waiting here
   * for the same name, in the same place in the queue if there is one.
   */
  | {
      type: 'granted';
      lock: string;
      token: number;
      waitMs: number;
      from: 'free' | 'queue' | 'tenure' | 'linger';
      waiting: number;
    }
  /** A caller released it. */
  | { type: 'released'; lock: string; token: number; heldMs: number }
  /** A caller lost it. After `released`, with the same token: only the release found out that it had been lost before. */
  | { type: 'lost'; lock: string; token: number; why: LossReason; heldMs: number }
  /** A caller waited in vain. */
  | { type: 'refused'; lock: string; waitMs: number; why: 'timeout' | 'aborted' | 'unavailable' }
  /** This process took a place in the queue in Redis, behind so many others. */
  | { type: 'queued'; lock: string; before: number }
  /** This process made a waiter of another process the holder. */
  | { type: 'handed-over'; lock: string }
  | { type: 'renewed'; lock: string }
  | RenewalFailure
  /** A grant came after everybody who had asked for it was gone, and was given back. */
  | { type: 'stale-grant'; lock: string }
  /** Redis delivered a message that this version does not know, as a later one may send it. */
  | { type: 'ignored-message' }
  /** A script was called and answered, or a command of Redis that stands in for one (`hdel`). */
  | { type: 'round-trip'; script: string; tookMs: number };

/** Redis did not answer a renewal. It is asked again until the deadline of the lease, of which `signal` tells. */
export interface RenewalFailure {
  readonly type: 'renewal-failed';
  readonly lock: string;
  readonly token: number;
  readonly cause: unknown;
}

export type LockEventListener = (event: LockEvent) => void;

export type RoundTripListener = (script: string, tookMs: number) => void;

export interface Listeners {
  /** Told of everything that happens, for metrics. */
  onEvent?: LockEventListener | undefined;
  /** Told of each renewal that Redis did not answer: a lease may be lost soon. The same as the event of that type. */
  onRenewalFailed?: ((failure: RenewalFailure) => void) | undefined;
}

/** @returns undefined: nobody listens */
export function listenFor({ onEvent, onRenewalFailed }: Listeners): LockEventListener | undefined {
  const tellEvent = onEvent && guardListener(onEvent);
  if (onRenewalFailed === undefined) return tellEvent;
  const tellFailure = guardListener(onRenewalFailed);
  return (event) => {
    tellEvent?.(event);
    if (event.type === 'renewal-failed') tellFailure(event);
  };
}

/** Without a listener nothing is measured. */
export function tellRoundTrips(emit: LockEventListener | undefined): RoundTripListener | undefined {
  return emit && ((script, tookMs) => emit({ type: 'round-trip', script, tookMs }));
}

/**
 * A listener that throws or rejects is a fault of the program. It must not cost anybody the lock, nor hide an error that
 * says more.
 */
export function guardListener<T>(listener: (told: T) => unknown): (told: T) => void {
  return (told) => {
    try {
      const listening = listener(told);
      if (listening instanceof Promise) listening.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)));
}
