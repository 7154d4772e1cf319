import type { AcquireSettings } from '../acquire-options.ts';
import type { Alarm, Alarms } from '../alarms.ts';
import type { Linked } from '../linked-list.ts';
import type { Lease } from '../lock.ts';

/** Where a waiter waits. */
export interface WaitingRoom {
  /** Its time is over, or its caller has cancelled. */
  leave(waiter: Waiter, why: 'timeout' | 'aborted'): void;
}

/**
 * One call that waits for a lock. It is its own alarm, its own abort listener and its own link in the list of its
 * line: ten thousand of them wait at once, and each separate object or closure would be made ten thousand times.
 */
export class Waiter implements Alarm, Linked<Waiter> {
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
  #room: WaitingRoom | undefined;
  readonly #alarms: Alarms;

  constructor(settings: AcquireSettings, alarms: Alarms) {
    this.ttlMs = settings.ttlMs;
    this.renew = settings.renew;
    this.maxHoldMs = settings.maxHoldMs;
    this.tokenAbove = settings.tokenAbove;
    this.waitMs = settings.waitMs;
    this.signal = settings.signal;
    this.#alarms = alarms;
    this.sinceMs = alarms.clock.now();
    this.lease = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Whether it waits at all; otherwise it leaves with the first answer. */
  get patient(): boolean {
    return this.waitMs > 0;
  }

  /** From now on it leaves by itself when its time is over or its caller cancels. */
  sitDown(room: WaitingRoom): void {
    this.#room = room;
    // One that does not wait is bounded by the time-out of the one call that is made for it.
    if (this.patient) this.#alarms.set(this, this.sinceMs + this.waitMs);
    this.signal?.addEventListener('abort', this);
  }

  ring(): void {
    this.#room?.leave(this, 'timeout');
  }

  handleEvent(): void {
    this.#room?.leave(this, 'aborted');
  }

  grant(lease: Lease): void {
    this.#getUp();
    this.#settle(lease);
  }

  refuse(reason: unknown): void {
    this.#getUp();
    this.#settle(Promise.reject(reason));
  }

  #getUp(): void {
    this.#room = undefined;
    this.#alarms.clear(this);
    this.signal?.removeEventListener('abort', this);
  }
}
