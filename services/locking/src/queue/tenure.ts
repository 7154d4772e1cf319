import {
  type DeadlinePort,
  type ExtendOutcome,
  LeaseDeadline,
  type Loss,
  type Terms,
  type Validity,
} from '../lease-deadline.ts';
import { HeldLease, type LeaseOwner, type ReleaseOutcome } from '../lease.ts';
import type { LockEventListener } from '../lock-events.ts';
import type { Timers } from '../timers.ts';
import type { Waiter } from './callers.ts';
import type { Grant, QueueStore } from './store.ts';
import { TenureTokens } from './tenure-tokens.ts';

/** What it needs of the lock service. */
export interface TenureContext {
  readonly store: Pick<QueueStore, 'extend'>;
  readonly timers: Timers;
  readonly emit: LockEventListener | undefined;
  readonly settings: TenureSettings;
}

export interface TenureSettings {
  /** How many callers may follow one another before other processes have a tenure. */
  readonly tenureGrants: number;
  /** And for how long. */
  readonly tenureMs: number;
}

/** The name that it is a tenure of. */
export interface TenureOwner extends LeaseOwner {
  readonly name: string;
  onLoss(loss: Loss): void;
  /** Somebody in another process waits. */
  onAsked(): void;
}

/**
 * One grant of Redis, and the callers who hold the lock under it, one after the other, without asking Redis. The
 * lease deadline and its renewal go on from lease to lease; each lease has its own token.
 *
 * A tenure has an end, since other processes may wait: after so many callers, or so much time.
 */
export class Tenure implements DeadlinePort {
  readonly deadline: LeaseDeadline;
  /** The lease of the moment; undefined while the lock is only kept, in case somebody here wants it again. */
  lease: HeldLease | undefined;
  /** Somebody in another process waits, as far as we know. */
  asked: boolean;

  readonly #owner: TenureOwner;
  readonly #context: TenureContext;
  readonly #id: string;
  readonly #tokens: TenureTokens;
  #left: number;
  readonly #endsMs: number;
  #served = false;
  #leaseSinceMs = 0;
  /** How long the last lease that was released had been held. */
  #heldMs = 0;

  /** @param waiters how many wait here now */
  constructor(
    owner: TenureOwner,
    context: TenureContext,
    id: string,
    { grant, terms, validity, waiters }: { grant: Grant; terms: Terms; validity: Validity; waiters: number },
  ) {
    const { timers, settings } = context;
    const now = timers.clock.now();
    this.#owner = owner;
    this.#context = context;
    this.#id = id;
    this.#tokens = new TenureTokens(grant, now);
    this.asked = grant.waiting > 0;
    // While others wait in Redis, a tenure is for those who wait here now: who comes later waits for the next one, and
    // each caller gets the same share however the callers are spread over processes.
    this.#left = this.asked ? Math.min(waiters, settings.tenureGrants) : settings.tenureGrants;
    this.#endsMs = now + settings.tenureMs;
    this.deadline = new LeaseDeadline(this, timers, terms, validity);
  }

  /** The token of the grant. */
  get firstToken(): number {
    return this.#tokens.first;
  }

  /** The last token that was given away. */
  get lastToken(): number {
    return this.#tokens.last;
  }

  /** The last token that was given away, if more were reserved. */
  get unusedAfter(): number | undefined {
    return this.#tokens.reserves ? this.#tokens.last : undefined;
  }

  isOver(): boolean {
    return this.#left <= 0 || this.#context.timers.clock.now() >= this.#endsMs;
  }

  /**
   * Call it only while held.
   * @returns undefined: Redis must be asked first, for a token that this waiter could have, or as it keeps the lock for
   * another time than this waiter wants. (For the first waiter the owner has looked at that before.)
   */
  serve(waiter: Waiter): HeldLease | undefined {
    if (this.#served && !this.deadline.isEnoughFor(waiter.ttlMs)) return undefined;
    const now = this.#context.timers.clock.now();
    const token = this.#tokens.next(now, waiter.tokenAbove);
    if (token === undefined) return undefined;
    // The deadline was set for the first one; those after it have terms of their own.
    if (this.#served) this.deadline.serve(waiter);
    this.#served = true;
    this.#left -= 1;
    this.#leaseSinceMs = now;
    this.lease = new HeldLease(this.#owner.name, this.#id, token, waiter.ttlMs, this.deadline, this.#owner);
    return this.lease;
  }

  /** The lease of the moment has been released. */
  returned(lease: HeldLease): void {
    this.lease = undefined;
    this.deadline.rest();
    this.#heldMs = this.#context.timers.clock.now() - this.#leaseSinceMs;
    this.#context.emit?.({ type: 'released', lock: lease.name, token: lease.token, heldMs: this.#heldMs });
  }

  /** The answer of Redis to the last release. It may say that the lock had been lost before, which nobody knew. */
  confirmed({ name, token }: HeldLease, answer: Promise<ReleaseOutcome>): Promise<ReleaseOutcome> {
    const { emit } = this.#context;
    if (emit === undefined) return answer;
    const heldMs = this.#heldMs;
    return answer.then((released) => {
      if (released !== 'released') emit({ type: 'lost', lock: name, token, why: released, heldMs });
      return released;
    });
  }

  async extend(ttlMs: number): Promise<ExtendOutcome> {
    const reserved = this.#tokens.limit(this.#context.timers.clock.now(), ttlMs);
    const reply = await this.#context.store.extend(this.#owner.name, {
      id: this.#id,
      ttlMs,
      reserved,
    });
    if (reply.is !== 'extended') return reply.is;
    this.#tokens.prolonged(reply);
    if (reply.waiting > 0) this.#owner.onAsked();
    return 'held';
  }

  onRenewed(): void {
    this.#context.emit?.({ type: 'renewed', lock: this.#owner.name });
  }

  onRenewalFailed(cause: unknown): void {
    if (this.lease === undefined) return;
    const { name: lock, token } = this.lease;
    this.#context.emit?.({ type: 'renewal-failed', lock, token, cause });
  }

  onLoss(loss: Loss): void {
    const { lease } = this;
    this.lease = undefined;
    if (lease !== undefined) {
      lease.lose(loss);
      const { name, token } = lease;
      const heldMs = this.#context.timers.clock.now() - this.#leaseSinceMs;
      this.#context.emit?.({ type: 'lost', lock: name, token, why: loss.why, heldMs });
    }
    this.#owner.onLoss(loss);
  }
}
