import { Hold, type Extended, type HoldPort, type Kept, type Loss, type Terms } from '../hold.ts';
import { HeldLease, type LeaseOwner, type Released } from '../lease.ts';
import type { LineContext } from './line-context.ts';
import type { Grant } from './store.ts';
import { TurnTokens } from './turn-tokens.ts';
import type { Waiter } from './waiter.ts';

export interface TurnOwner extends LeaseOwner {
  readonly name: string;
  onLoss(loss: Loss): void;
  /** Somebody in another process waits. */
  onAsked(): void;
}

/**
 * One grant of Redis, and the callers who hold the lock under it, one after the other, without a word to Redis. The
 * lock is kept by one `hold`, whose deadline and renewal go on from lease to lease; each lease has its own token.
 *
 * A turn has an end, since other processes may wait: after so many callers, or so much time.
 */
export class Turn implements HoldPort {
  readonly hold: Hold;
  /** The lease of the moment; undefined while the lock is only kept, in case somebody here wants it again. */
  lease: HeldLease | undefined;
  /** Somebody in another process waits, as far as we know. */
  asked: boolean;

  readonly #owner: TurnOwner;
  readonly #context: LineContext;
  readonly #id: string;
  readonly #tokens: TurnTokens;
  #left: number;
  readonly #endsMs: number;
  #served = false;
  #leaseSinceMs = 0;
  /** How long the last lease that was given back had been held. */
  #heldMs = 0;

  /** @param waiters how many wait here now */
  constructor(
    owner: TurnOwner,
    context: LineContext,
    id: string,
    { grant, terms, kept, waiters }: { grant: Grant; terms: Terms; kept: Kept; waiters: number },
  ) {
    const { alarms, settings } = context;
    const now = alarms.clock.now();
    this.#owner = owner;
    this.#context = context;
    this.#id = id;
    this.#tokens = new TurnTokens(grant, now);
    this.asked = grant.waiting > 0;
    // While others wait in Redis, a turn is for those who wait here now: who comes later waits for the next one, and
    // each caller gets the same share however the callers are spread over processes.
    this.#left = this.asked ? Math.min(waiters, settings.turnGrants) : settings.turnGrants;
    this.#endsMs = now + settings.turnMs;
    this.hold = new Hold(this, alarms, terms, kept);
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
    return this.#left <= 0 || this.#context.alarms.clock.now() >= this.#endsMs;
  }

  /**
   * Call it only while held.
   * @returns undefined: Redis must be asked first, for a token that this waiter could have, or as it keeps the lock for
   * another time than this waiter wants. (What the grant is worth to the first one, its line knows.)
   */
  serve(waiter: Waiter): HeldLease | undefined {
    if (this.#served && !this.hold.isEnoughFor(waiter.ttlMs)) return undefined;
    const now = this.#context.alarms.clock.now();
    const token = this.#tokens.next(now, waiter.tokenAbove);
    if (token === undefined) return undefined;
    // The hold was made for the first one; those after it have terms of their own.
    if (this.#served) this.hold.serve(waiter);
    this.#served = true;
    this.#left -= 1;
    this.#leaseSinceMs = now;
    this.lease = new HeldLease(this.#owner.name, this.#id, token, waiter.ttlMs, this.hold, this.#owner);
    return this.lease;
  }

  /** The lease of the moment has been given back. */
  returned(lease: HeldLease): void {
    this.lease = undefined;
    this.hold.rest();
    this.#heldMs = this.#context.alarms.clock.now() - this.#leaseSinceMs;
    this.#context.emit?.({ type: 'released', lock: lease.name, token: lease.token, heldMs: this.#heldMs });
  }

  /** Redis answers to the lease that was given back last: it may have been lost long before, and nobody knew. */
  confirmed({ name, token }: HeldLease, answer: Promise<Released>): Promise<Released> {
    const { emit } = this.#context;
    if (emit === undefined) return answer;
    const heldMs = this.#heldMs;
    return answer.then((released) => {
      if (released !== 'released') emit({ type: 'lost', lock: name, token, why: released, heldMs });
      return released;
    });
  }

  async extend(ttlMs: number): Promise<Extended> {
    const reserved = this.#tokens.limit(this.#context.alarms.clock.now(), ttlMs);
    const reply = await this.#context.store.extend(this.#owner.name, {
      id: this.#id,
      ttlMs,
      reserved,
    });
    if (reply.is !== 'kept') return reply.is;
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
      const heldMs = this.#context.alarms.clock.now() - this.#leaseSinceMs;
      this.#context.emit?.({ type: 'lost', lock: name, token, why: loss.why, heldMs });
    }
    this.#owner.onLoss(loss);
  }
}
