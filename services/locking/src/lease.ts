import { LockLostError, LockUnavailableError } from './errors.ts';
import { createLateReleases } from './late-releases.ts';
import { LeaseDeadline, type ExtendOutcome, type Loss } from './lease-deadline.ts';
import type { Lease } from './lock.ts';
import { checkTtl } from './options.ts';
import { type Timers, systemTimers } from './timers.ts';

/** What Redis answers to a release. A rejection means: unknown, it may have happened. */
export type ReleaseOutcome = 'released' | 'gone' | 'taken';

/** The algorithm's side of a lease. */
export interface LeasePort {
  /** One bounded attempt to let the lock expire `ttlMs` from now, if it is still ours; never creates it anew. */
  extend(ttlMs: number): Promise<ExtendOutcome>;
  /** One bounded attempt to give the lock back, if it is still ours. */
  release(): Promise<ReleaseOutcome>;
  onLoss?(loss: Loss): void;
  onRenewed?(): void;
  onRenewalFailed?(cause: unknown): void;
}

export interface LeaseTerms {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
  readonly ttlMs: number;
  /** Renew until released; without it the lease ends at its first deadline. */
  readonly renew: boolean;
  /** How long it may last however often it is renewed; Infinity: no limit. */
  readonly maxHoldMs: number;
  /** `timers.clock.now()` *before* the request was sent that obtained the lock: the deadline counts from there. */
  readonly sentAtMs: number;
}

/** One lock, one lease: deadline and renewal included. Must be called while the lock is ours. */
export function createLease(terms: LeaseTerms, port: LeasePort, timers: Timers = systemTimers): HeldLease {
  const deadline = new LeaseDeadline(
    {
      extend: (ttlMs) => port.extend(ttlMs),
      onRenewed: () => port.onRenewed?.(),
      onRenewalFailed: (cause) => port.onRenewalFailed?.(cause),
      onLoss(loss) {
        lease.lose(loss);
        port.onLoss?.(loss);
      },
    },
    timers,
    terms,
    { sinceMs: terms.sentAtMs, ttlMs: terms.ttlMs, longestMs: terms.ttlMs },
  );
  const lease = new HeldLease(terms.name, terms.holder, terms.token, terms.ttlMs, deadline, {
    async release() {
      const { deadlineMs } = deadline;
      deadline.end();
      try {
        return await port.release();
      } catch (error) {
        const isExpired = () => timers.clock.now() >= deadlineMs;
        void createLateReleases(timers).repeat(() => port.release(), isExpired);
        throw error;
      }
    },
  });
  return lease;
}

/** What a lease is released to. */
export interface LeaseOwner {
  release(lease: HeldLease): Promise<ReleaseOutcome> | ReleaseOutcome;
}

const given = Promise.resolve();

/**
 * The lease that callers see. A class, because one of them is made per grant, hundreds of thousands a second under
 * local contention: methods on a prototype cost nothing there, and what a caller may never ask for (the signal) is
 * made when it asks.
 */
export class HeldLease implements Lease {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
  readonly #ttlMs: number;
  readonly #deadline: LeaseDeadline;
  readonly #owner: LeaseOwner;
  #abort: AbortController | undefined;
  #lost: LockLostError | undefined;
  #released: Promise<void> | undefined;

  constructor(
    name: string,
    holder: string,
    token: number,
    ttlMs: number,
    deadline: LeaseDeadline,
    owner: LeaseOwner,
  ) {
    this.name = name;
    this.holder = holder;
    this.token = token;
    this.#ttlMs = ttlMs;
    this.#deadline = deadline;
    this.#owner = owner;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    // Looks at the clock first: after a blocked event loop the deadline may have passed with no timer run.
    if (!this.#isHeld() && this.#lost !== undefined) this.#abort.abort(this.#lost);
    return this.#abort.signal;
  }

  remainingMs(): number {
    return this.#isHeld() ? this.#deadline.remainingMs() : 0;
  }

  assertHeld(): void {
    if (this.#isHeld()) return;
    throw this.#lost ?? this.#loss({ why: 'released' });
  }

  async extend(ttlMs: number = this.#ttlMs): Promise<void> {
    checkTtl(ttlMs);
    this.assertHeld();
    try {
      await this.#deadline.extend(ttlMs);
    } catch (cause) {
      // A loss in the meantime says more than the silence.
      this.assertHeld();
      throw new LockUnavailableError({ lock: this.name, cause });
    }
    this.assertHeld();
  }

  release(): Promise<void> {
    this.#released ??= this.#giveBack();
    return this.#released;
  }

  /** Releases the lock, and throws only if it was lost: a lock that Redis did not confirm to be free ends by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch (error) {
      if (!(error instanceof LockUnavailableError)) throw error;
    }
  }

  /** For its owner: the lock that it stands for is no longer held. */
  lose(loss: Loss): void {
    if (this.#lost !== undefined || this.#released !== undefined) return;
    this.#lost = this.#loss(loss);
    this.#abort?.abort(this.#lost);
  }

  /** For its service: ends it before its time. What is kept in Redis its owner gives back. */
  revoke(loss: Loss): void {
    if (this.#isHeld()) this.#deadline.lose(loss);
  }

  #isHeld(): boolean {
    return this.#lost === undefined && this.#released === undefined && this.#deadline.isHeld();
  }

  #loss({ why, cause }: Loss): LockLostError {
    return new LockLostError({ lock: this.name, token: this.token, why, cause });
  }

  #giveBack(): Promise<void> {
    if (!this.#isHeld()) return Promise.reject(this.#lost ?? this.#loss({ why: 'gone' }));
    // The lease ends here and now, before anything is sent: whoever still works under it learns so at once.
    const released = this.#owner.release(this);
    return released === 'released' ? given : this.#confirm(released);
  }

  async #confirm(answer: Promise<ReleaseOutcome> | ReleaseOutcome): Promise<void> {
    let released: ReleaseOutcome;
    try {
      released = await answer;
    } catch (cause) {
      throw new LockUnavailableError({ lock: this.name, cause });
    }
    if (released !== 'released') {
      this.#lost = this.#loss({ why: released });
      this.#abort?.abort(this.#lost);
      throw this.#lost;
    }
  }
}
