import { LockTimeoutError, LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import type { HeldLease } from '../lease.ts';
import { LinkedList } from '../linked-list.ts';
import type { LockEvent, LockEventListener } from '../lock-events.ts';
import type { Timers } from '../timers.ts';
import type { ServerView } from './server-view.ts';
import type { QueueStore } from './store.ts';
import type { Waiter } from './waiter.ts';

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
