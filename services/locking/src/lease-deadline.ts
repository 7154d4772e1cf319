import type { LossReason } from './errors.ts';
import { retryDelayMs } from './retry-delay.ts';
import type { Timer, Timers } from './timers.ts';

/** What Redis answers to a request for more time. A rejection means: unknown, it may have happened. */
export type ExtendOutcome = 'held' | 'gone' | 'taken';

export interface Loss {
  readonly why: LossReason;
  readonly cause?: unknown;
}

/** The lock that a deadline belongs to. */
export interface DeadlinePort {
  /**
   * One bounded attempt to let the lock expire `ttlMs` from now, if it is still ours. It must never create it anew:
   * the lock that came to an end may be somebody else's by now.
   */
  extend(ttlMs: number): Promise<ExtendOutcome>;
  /** Called once, and not after `end()`. */
  onLoss(loss: Loss): void;
  onRenewed?(): void;
  /** A renewal was not answered. It is tried again until the deadline. */
  onRenewalFailed?(cause: unknown): void;
}

/** How long one lease may last. */
export interface Terms {
  readonly ttlMs: number;
  /** Renew for as long as the lease lasts; otherwise it ends at its first deadline. */
  readonly renew: boolean;
  /** How long it may last however often it is renewed; Infinity: no limit. */
  readonly maxHoldMs: number;
}

/**
 * By how much the clocks of this process and of Redis may differ after that time: 1 % of it, and 2 ms as Redis expires keys
 * by the millisecond. The description of Redlock allows for the same. A quartz clock drifts by less than 0.01 %, a clock
 * that is being corrected by up to 0.05 %.
 */
export function driftMs(ttlMs: number): number {
  return ttlMs * 0.01 + 2;
}

/** Until when Redis keeps the lock at least. */
export function validUntil({ sinceMs, ttlMs }: Pick<Validity, 'sinceMs' | 'ttlMs'>): number {
  return sinceMs + ttlMs - driftMs(ttlMs);
}

/** For how long Redis keeps a lock. */
export interface Validity {
  /** Since when at least. */
  readonly sinceMs: number;
  readonly ttlMs: number;
  /** It may be kept for as long as this, after other questions for it. */
  readonly longestMs: number;
}

/**
 * How much of its TTL a lease has at least when it begins under a lock that is kept already. With less of it, a lease could
 * end by a pause of the process that a whole TTL would outlast.
 */
const leastShare = 0.9;

/**
 * Whether a lease of that TTL can begin without asking Redis: nearly all of its time is left, and Redis does not keep the
 * lock for longer than that TTL.
 *
 * @param leftMs for how long the lock is kept at least
 * @param longestMs for how long it may be kept
 */
export function isEnoughFor(ttlMs: number, leftMs: number, longestMs: number): boolean {
  return leftMs >= leastShare * ttlMs && longestMs <= ttlMs;
}

/**
 * The lease deadline: until when a lock is ours, and the renewal that moves that time.
 *
 * The deadline is counted from *before* the request was sent, less the drift: whenever Redis executed it, the lock
 * expires there after it ends here. So the loss is known in time even if Redis says nothing.
 *
 * Renewal asks for the full TTL when a third of it has passed, so that two more attempts fit before the deadline. It
 * treats silence as unknown and tries again; only the answer "not yours" ends the lease before its deadline.
 *
 * Where several leases follow one another under one grant, it goes on from one to the next: `serve` sets the terms.
 */
export class LeaseDeadline implements Timer {
  // The timer of whatever comes first: the renewal or the deadline.
  atMs = 0;
  slot = -1;

  readonly #timers: Timers;
  readonly #port: DeadlinePort;
  #ttlMs: number;
  #renews: boolean;
  /** Until when Redis keeps the lock for us at least. */
  #validUntilMs: number;
  #longestMs: number;
  /** When the lease of the moment ends however often it is renewed. */
  #maxHoldEndsMs = Infinity;
  #renewAtMs: number;
  #failures = 0;
  #extending: Promise<void> | undefined;
  #over = false;

  constructor(port: DeadlinePort, timers: Timers, terms: Terms, validity: Validity) {
    this.#port = port;
    this.#timers = timers;
    this.#ttlMs = terms.ttlMs;
    this.#renews = terms.renew;
    this.#validUntilMs = validUntil(validity);
    this.#longestMs = validity.longestMs;
    this.#renewAtMs = validity.sinceMs + validity.ttlMs / 3;
    this.#maxHoldEndsMs = timers.clock.now() + terms.maxHoldMs;
    this.#schedule();
  }

  /** For how long Redis may keep the lock, counted from now. */
  get longestMs(): number {
    return this.#longestMs;
  }

  get deadlineMs(): number {
    return Math.min(this.#validUntilMs, this.#maxHoldEndsMs);
  }

  remainingMs(): number {
    return this.#over ? 0 : Math.max(0, this.deadlineMs - this.#timers.clock.now());
  }

  /** Whether the lock is held at this moment. If the deadline has passed and no timer has fired yet, tells of the loss. */
  isHeld(): boolean {
    if (this.#over) return false;
    if (this.#timers.clock.now() < this.deadlineMs) return true;
    this.lose({ why: this.#maxHoldEndsMs <= this.#validUntilMs ? 'max-hold' : 'deadline' });
    return false;
  }

  /** Whether a lease of that TTL can begin now, without asking Redis. */
  isEnoughFor(ttlMs: number): boolean {
    return isEnoughFor(ttlMs, this.#validUntilMs - this.#timers.clock.now(), this.#longestMs);
  }

  /** The next lease of the same grant begins. Call it only while `isEnoughFor` its TTL. */
  serve({ ttlMs, renew, maxHoldMs }: Terms): void {
    // As a rule its terms are those of the lease before it.
    const isLimited = maxHoldMs !== Infinity || this.#maxHoldEndsMs !== Infinity;
    if (renew === this.#renews && ttlMs === this.#ttlMs && !isLimited) return;
    this.#maxHoldEndsMs = this.#timers.clock.now() + maxHoldMs;
    this.#ttlMs = ttlMs;
    this.#renews = renew;
    this.#schedule();
  }

  /** No caller has a lease at the moment, so `maxHoldMs` does not count. */
  rest(): void {
    if (this.#maxHoldEndsMs === Infinity) return;
    this.#maxHoldEndsMs = Infinity;
    this.#schedule();
  }

  /**
   * Moves the deadline to `ttlMs` from now, and makes that the TTL of later renewals.
   * @returns what Redis said; rejects where it said nothing
   */
  async extend(ttlMs: number): Promise<ExtendOutcome> {
    // One at a time: of two requests under way nobody could say which one Redis executed last.
    while (this.#extending !== undefined) await this.#extending;
    if (!this.isHeld()) return 'gone';
    this.#ttlMs = ttlMs;
    return this.#ask(ttlMs);
  }

  lose(loss: Loss): void {
    if (this.#over) return;
    this.end();
    this.#port.onLoss(loss);
  }

  /** No more renewals, no deadline: it was given back, or lost. A reply that still comes is ignored. */
  end(): void {
    this.#over = true;
    this.#timers.disarm(this);
  }

  fire(): void {
    if (!this.isHeld()) return;
    if (this.#wantsRenewal() && this.#renewAtMs <= this.#timers.clock.now()) void this.#renew();
    this.#schedule();
  }

  #wantsRenewal(): boolean {
    return this.#renews && this.#extending === undefined;
  }

  #schedule(): void {
    if (this.#over) return;
    const { deadlineMs } = this;
    this.#timers.arm(this, this.#wantsRenewal() ? Math.min(this.#renewAtMs, deadlineMs) : deadlineMs);
  }

  async #renew(): Promise<void> {
    try {
      if ((await this.#ask(this.#ttlMs)) === 'held' && !this.#over) this.#port.onRenewed?.();
    } catch (cause) {
      // Unknown: tried again until the deadline, which tells the holder.
      if (!this.#over) this.#port.onRenewalFailed?.(cause);
    }
  }

  async #ask(ttlMs: number): Promise<ExtendOutcome> {
    const settled = Promise.withResolvers<void>();
    this.#extending = settled.promise;
    const sentAtMs = this.#timers.clock.now();
    const validUntilMs = validUntil({ sinceMs: sentAtMs, ttlMs });
    // A shorter time counts from when it is asked for: Redis may do it, and the answer may be lost.
    this.#validUntilMs = Math.min(this.#validUntilMs, validUntilMs);
    this.#longestMs = Math.max(this.#longestMs, ttlMs);
    this.#schedule();
    try {
      const extended = await this.#port.extend(ttlMs);
      if (this.#over) return extended;
      if (extended === 'held') {
        this.#validUntilMs = validUntilMs;
        this.#longestMs = ttlMs;
        this.#renewAtMs = sentAtMs + ttlMs / 3;
        this.#failures = 0;
      } else {
        this.lose({ why: extended });
      }
      return extended;
    } catch (error) {
      // Never more than a quarter of the TTL: several attempts fit before the deadline.
      const delayMs = retryDelayMs(this.#failures, { longestMs: this.#ttlMs / 4 });
      this.#renewAtMs = this.#timers.clock.now() + delayMs;
      this.#failures += 1;
      throw error;
    } finally {
      this.#extending = undefined;
      settled.resolve();
      this.#schedule();
    }
  }
}
