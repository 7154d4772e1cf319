import type { AcquireSettings } from '../acquire-options.ts';
import type { Linked } from '../linked-list.ts';
import type { Lease } from '../lock.ts';
import type { Timer, Timers } from '../timers.ts';

/** Where a waiter waits. */
export interface WaiterOwner {
  /** Its time is over, or its caller has cancelled. */
  leave(waiter: Waiter, why: 'timeout' | 'aborted'): void;
}

/**
 * One call that waits for a lock. It is its own timer, its own abort listener and its own link in the list of its
 * name: ten thousand of them wait at once, and each separate object or closure would be made ten thousand times.
 */
export class Waiter implements Timer, Linked<Waiter> {
  atMs = 0;
  slot = -1;
  next: Waiter | undefined;
  previous: Waiter | undefined;

  readonly ttlMs: number;
  readonly renew: boolean;
  readonly maxHoldMs: number;
  readonly tokenAbove: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly sinceMs: number;
  readonly lease: Promise<Lease>;
  /** The promise's only handle: one function less for each waiter, as a refusal resolves it to a rejected promise. */
  #settle!: (lease: Lease | Promise<never>) => void;
  #owner: WaiterOwner | undefined;
  readonly #timers: Timers;

  constructor(settings: AcquireSettings, timers: Timers) {
    this.ttlMs = settings.ttlMs;
    this.renew = settings.renew;
    this.maxHoldMs = settings.maxHoldMs;
    this.tokenAbove = settings.tokenAbove;
    this.waitMs = settings.waitMs;
    this.signal = settings.signal;
    this.#timers = timers;
    this.sinceMs = timers.clock.now();
    this.lease = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Whether it waits at all; otherwise it leaves with the first answer. */
  get patient(): boolean {
    return this.waitMs > 0;
  }

  /** From now on it leaves by itself when its time is over or its caller cancels. */
  enter(owner: WaiterOwner): void {
    this.#owner = owner;
    // One that does not wait is bounded by the time-out of the one call that is made for it.
    if (this.patient) this.#timers.arm(this, this.sinceMs + this.waitMs);
    this.signal?.addEventListener('abort', this);
  }

  fire(): void {
    this.#owner?.leave(this, 'timeout');
  }

  handleEvent(): void {
    this.#owner?.leave(this, 'aborted');
  }

  grant(lease: Lease): void {
    this.#stop();
    this.#settle(lease);
  }

  refuse(reason: unknown): void {
    this.#stop();
    this.#settle(Promise.reject(reason));
  }

  #stop(): void {
    this.#owner = undefined;
    this.#timers.disarm(this);
    this.signal?.removeEventListener('abort', this);
  }
}
