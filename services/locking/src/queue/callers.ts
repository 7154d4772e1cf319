import { LockTimeoutError, LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import type { HeldLease } from '../lease.ts';
import { type Linked, LinkedList } from '../linked-list.ts';
import type { LockEvent, LockEventListener } from '../lock-events.ts';
import type { Lease } from '../lock.ts';
import type { AcquireSettings } from '../options.ts';
import type { Timer, Timers } from '../timers.ts';
import type { ServerView } from './server-view.ts';
import type { QueueStore } from './store.ts';

/** How a caller came by the lock, see `LockEvent`. */
export type From = Extract<LockEvent, { type: 'granted' }>['from'];

type WhyLeft = 'timeout' | 'aborted';

/** What it needs of the lock service. */
export interface CallersContext {
  readonly store: Pick<QueueStore, 'client'>;
  readonly timers: Timers;
  readonly emit: LockEventListener | undefined;
  /** A caller waits no more. */
  departed(waiter: Waiter): void;
}

/** The callers that wait for a name here: how each of them is granted the lock or sent away, and what it is told. */
export class Callers {
  readonly #name: string;
  readonly #context: CallersContext;
  readonly #view: ServerView;
  readonly #heldAs: () => string | undefined;
  readonly #waiters = new LinkedList<Waiter>();

  /**
   * @param view what they are told of Redis
   * @param heldAs the id under which this process holds the lock, if it does
   */
  constructor(name: string, context: CallersContext, view: ServerView, heldAs: () => string | undefined) {
    this.#name = name;
    this.#context = context;
    this.#view = view;
    this.#heldAs = heldAs;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Who is next. */
  get first(): Waiter | undefined {
    return this.#waiters.first;
  }

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  grant(waiter: Waiter, lease: HeldLease, from: From): void {
    const { timers, emit } = this.#context;
    this.#waiters.remove(waiter);
    waiter.grant(lease);
    this.#context.departed(waiter);
    if (emit === undefined) return;
    const waitMs = timers.clock.now() - waiter.sinceMs;
    const { token } = lease;
    emit({ type: 'granted', lock: this.#name, token, waitMs, from, waiting: this.size });
  }

  /** One that waits here is sent away. */
  dismiss(waiter: Waiter, why: WhyLeft, cause?: unknown): void {
    this.#waiters.remove(waiter);
    this.refuse(waiter, why, cause);
  }

  /** The first one, if it wanted no more than one try. */
  dismissImpatient(): void {
    const { first } = this;
    if (first !== undefined && !first.patient) this.dismiss(first, 'timeout');
  }

  dismissAll(cause: unknown): void {
    const lock = this.#name;
    for (let waiter = this.first; waiter !== undefined; waiter = this.first) {
      this.#waiters.remove(waiter);
      const { holder } = this.#view;
      this.#sendAway(waiter, new LockUnavailableError({ lock, holder, cause }), 'unavailable');
    }
  }

  /**
   * One that does not wait here, or not any more.
   * @param cause why it is not known whether the lock could be had
   */
  refuse(waiter: Waiter, why: WhyLeft, cause: unknown = this.#view.silence?.cause): void {
    const { waitMs, signal } = waiter;
    const holder = this.#heldAs() ?? this.#view.holder;
    const details = { lock: this.#name, holder };
    if (why === 'aborted') {
      this.#sendAway(waiter, signal?.reason, why);
    } else if (cause === undefined) {
      const heldHere = holder !== undefined && clientOf(holder) === this.#context.store.client;
      this.#sendAway(waiter, new LockTimeoutError({ ...details, waitMs, heldHere }), why);
    } else {
      this.#sendAway(waiter, new LockUnavailableError({ ...details, cause }), 'unavailable');
    }
  }

  #sendAway(waiter: Waiter, error: unknown, why: WhyLeft | 'unavailable'): void {
    waiter.refuse(error);
    this.#context.departed(waiter);
    const waitMs = this.#context.timers.clock.now() - waiter.sinceMs;
    this.#context.emit?.({ type: 'refused', lock: this.#name, waitMs, why });
  }
}

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
  /** Settles the promise. One function for both outcomes saves memory: a refusal passes it a rejected promise. */
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
