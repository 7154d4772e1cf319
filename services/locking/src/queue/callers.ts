import { LockTimeoutError, LockUnavailableError } from '../errors.ts';
import { clientOf } from '../holder-id.ts';
import type { HeldLease } from '../lease.ts';
import { LinkedList } from '../linked-list.ts';
import type { LockEvent } from '../lock-events.ts';
import type { Answers } from './answers.ts';
import type { LineContext } from './line-context.ts';
import type { Waiter } from './waiter.ts';

/** How a caller came by the lock, see `LockEvent`. */
export type From = Extract<LockEvent, { type: 'granted' }>['from'];

type WhyLeft = 'timeout' | 'aborted';

/** The callers that wait in a line: how each of them is granted the lock or sent away, and what it is told. */
export class Callers {
  readonly #name: string;
  readonly #context: LineContext;
  readonly #answers: Answers;
  readonly #heldAs: () => string | undefined;
  readonly #waiters = new LinkedList<Waiter>();

  /**
   * @param answers what they are told of Redis
   * @param heldAs the id under which this process holds the lock, if it does
   */
  constructor(name: string, context: LineContext, answers: Answers, heldAs: () => string | undefined) {
    this.#name = name;
    this.#context = context;
    this.#answers = answers;
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
    const { alarms, emit } = this.#context;
    this.#waiters.remove(waiter);
    waiter.grant(lease);
    this.#context.departed(waiter);
    if (emit === undefined) return;
    const waitMs = alarms.clock.now() - waiter.sinceMs;
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
      const { holder } = this.#answers;
      this.#sendAway(waiter, new LockUnavailableError({ lock, holder, cause }), 'unavailable');
    }
  }

  /**
   * One that does not wait here, or not any more.
   * @param cause why it is not known whether the lock could be had
   */
  refuse(waiter: Waiter, why: WhyLeft, cause: unknown = this.#answers.silence?.cause): void {
    const { waitMs, signal } = waiter;
    const holder = this.#heldAs() ?? this.#answers.holder;
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
    const waitMs = this.#context.alarms.clock.now() - waiter.sinceMs;
    this.#context.emit?.({ type: 'refused', lock: this.#name, waitMs, why });
  }
}
