import { acquireByRetry, type Tries } from './acquire-by-retry.ts';
import { ServiceClosedError } from './client/errors.ts';
import { LockTimeoutError, LockUnavailableError } from './errors.ts';
import { type HeldLease, createLease, type LeasePort, type LeaseTerms } from './lease.ts';
import type { LocalQueue } from './local-queue.ts';
import type { LockEventListener } from './lock-events.ts';
import type { Lease } from './lock.ts';
import type { AcquireSettings } from './options.ts';
import { systemClock, systemTimers, type Timers } from './timers.ts';

/** What the lock services without a queue have in common: their waits, their leases, and their end. */
export interface RetryingService {
  /** Tries until there is a lease, the wait is over, or the caller's signal aborts. */
  acquire(name: string, settings: AcquireSettings, tries: Tries): Promise<Lease>;
  /** A lease that ends with the service at the latest. */
  lease(terms: LeaseTerms, port: LeasePort): Lease;
  /** `close` waits for work that goes on after the caller was answered. If it fails, nobody is told. */
  inBackground(work: Promise<unknown>): void;
  /** The names that are held or waited for here, once for each who does. */
  callers(): string[];
  /** Sends all waiters away, gives all leases back, and waits until nothing goes on any more. */
  close(): Promise<void>;
}

interface Wait {
  readonly name: string;
  /** Ends it before its time. */
  interrupt(reason: unknown): void;
  /** Resolves when its caller has been answered. */
  readonly ended: Promise<void>;
}

/**
 * @param retryDelayMs average time between two tries, in milliseconds
 * @param localQueue lets those who wait try one at a time; without one, each of them tries
 * @param timers what its leases end by
 */
export function createRetryingService(
  retryDelayMs: number,
  emit: LockEventListener | undefined,
  localQueue?: LocalQueue,
  timers: Timers = systemTimers,
): RetryingService {
  const waits = new Set<Wait>();
  const leases = new Set<HeldLease>();
  const background = new Set<Promise<unknown>>();
  let closed: ServiceClosedError | undefined;

  function inBackground(work: Promise<unknown>): void {
    const done = work.catch(() => undefined).finally(() => background.delete(done));
    background.add(done);
  }

  function isHeldHere(holder: string | undefined): boolean {
    for (const lease of leases) if (lease.holder === holder) return true;
    return false;
  }

  async function acquire(name: string, settings: AcquireSettings, tries: Tries): Promise<Lease> {
    const { waitMs, signal } = settings;
    if (closed !== undefined) throw new LockUnavailableError({ lock: name, cause: closed });

    const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
    interrupted.catch(() => undefined); // it may come when nobody waits any more
    const onAbort = () => interrupt(signal?.reason);
    const ended = Promise.withResolvers<void>();
    const wait: Wait = { name, interrupt, ended: ended.promise };
    const sinceMs = systemClock.now();
    signal?.addEventListener('abort', onAbort, { once: true });
    waits.add(wait);
    // A caller that only tries takes no place in the local queue.
    const place = waitMs > 0 ? localQueue?.enter(name) : undefined;
    let lease: Lease | undefined;
    try {
      lease = await acquireByRetry(tries, {
        name,
        waitMs,
        sinceMs,
        retryDelayMs,
        interrupted,
        isHeldHere,
        place,
        inBackground,
      });
      if (emit !== undefined) {
        const waitedMs = systemClock.now() - sinceMs;
        let waiting = 0;
        for (const one of waits) if (one.name === name && one !== wait) waiting += 1;
        emit({ type: 'granted', lock: name, token: lease.token, from: 'free', waitMs: waitedMs, waiting });
      }
      return lease;
    } catch (error) {
      emit?.({ type: 'refused', lock: name, waitMs: systemClock.now() - sinceMs, why: whyRefused(error) });
      throw error;
    } finally {
      place?.leave({ holding: lease !== undefined });
      waits.delete(wait);
      ended.resolve();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  function newLease(terms: LeaseTerms, port: LeasePort): Lease {
    const tracked: LeasePort = {
      ...port,
      release() {
        leases.delete(lease);
        const released = port.release();
        inBackground(released.catch(() => undefined).then(() => localQueue?.released(terms.name)));
        return released;
      },
      onLoss(loss) {
        leases.delete(lease);
        localQueue?.released(terms.name);
        port.onLoss?.(loss);
      },
    };
    const lease = createLease(terms, tellEvents(tracked, terms, emit), timers);
    leases.add(lease);
    return lease;
  }

  async function close(): Promise<void> {
    closed ??= new ServiceClosedError();
    for (const { name, interrupt } of waits)
      interrupt(new LockUnavailableError({ lock: name, cause: closed }));
    // What is lost with the service its algorithm gives back, as after a deadline.
    for (const lease of leases) lease.revoke({ why: 'closed', cause: closed });
    // At its end, each wait leaves what it has asked for to the background.
    await Promise.all(Array.from(waits, ({ ended }) => ended));
    while (background.size > 0) await Promise.all(background);
  }

  return {
    acquire,
    lease: newLease,
    inBackground,
    close,
    callers: () => Array.from([...waits, ...leases], ({ name }) => name),
  };
}

function whyRefused(error: unknown): 'timeout' | 'unavailable' | 'aborted' {
  if (error instanceof LockTimeoutError) return 'timeout';
  return error instanceof LockUnavailableError ? 'unavailable' : 'aborted';
}

/** The same port, which also tells the listener what becomes of its lease. */
function tellEvents(
  port: LeasePort,
  { name: lock, token }: { name: string; token: number },
  emit: LockEventListener | undefined,
): LeasePort {
  if (emit === undefined) return port;
  const sinceMs = systemClock.now();
  const heldForMs = () => systemClock.now() - sinceMs;
  let over = false;
  return {
    extend: (ttlMs) => port.extend(ttlMs),
    async release() {
      // A release that is repeated after an unknown outcome is still the same one, and "not yours" then says nothing.
      if (over) return port.release();
      over = true;
      const heldMs = heldForMs();
      emit({ type: 'released', lock, token, heldMs });
      const released = await port.release();
      if (released !== 'released') emit({ type: 'lost', lock, token, why: released, heldMs });
      return released;
    },
    onLoss(loss) {
      emit({ type: 'lost', lock, token, why: loss.why, heldMs: heldForMs() });
      port.onLoss?.(loss);
    },
    onRenewalFailed(cause) {
      emit({ type: 'renewal-failed', lock, token, cause });
      port.onRenewalFailed?.(cause);
    },
    onRenewed() {
      emit({ type: 'renewed', lock });
      port.onRenewed?.();
    },
  };
}
