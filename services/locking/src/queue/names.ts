import type { Waiter } from './callers.ts';
import type { HandedOver } from './store.ts';

/** A name as its lock service knows it. */
export interface KnownName {
  readonly name: string;
  /** All callers of the name share it; otherwise it is for one of them. */
  readonly isShared: boolean;
  /** Nobody waits for it, and it has nothing in Redis. */
  readonly isIdle: boolean;
  /** How many here hold the lock or wait for it. */
  readonly size: number;
  /** Whether messages for that number are for it. */
  hasEntry(number: number): boolean;
  admit(waiter: Waiter): void;
  /**
   * The entry of that number has been made the holder.
   * @param grant what the message brought; undefined: it was found out by a poll
   */
  granted(number: number, grant: HandedOver | undefined): void;
  /** Another process waits for what the entry holds. */
  asked(number: number): void;
  /** Another process has taken what the entry held. */
  stolen(number: number): void;
  /** Redis can be asked again, or messages reach us again. */
  recheck(): void;
  /** Sends everybody away, and releases everything. */
  close(cause: Error): Promise<void>;
}

/**
 * The name queues of one lock service, by the names that their callers want and by the numbers that messages bring.
 *
 * A shared one is found by its name, and knows its own numbers. So nothing is added to a `Map` and removed again for each
 * lock: V8 copies such a `Map` again and again, and each old copy keeps the next one in memory until a full garbage
 * collection.
 */
export class Names {
  readonly #shared = new Map<string, KnownName>();
  readonly #unshared = new Set<KnownName>();
  readonly #unsharedByNumber = new Map<number, KnownName>();
  /** The shared one that was forgotten last, as far as we know. It is kept: often its name is the next one wanted. */
  #spare: KnownName | undefined;

  /** The one that all callers of the name share. */
  shared(name: string): KnownName | undefined {
    return this.#shared.get(name);
  }

  add(queue: KnownName): void {
    if (queue.isShared) this.#shared.set(queue.name, queue);
    else this.#unshared.add(queue);
  }

  /** Messages may come for this number. */
  expect(queue: KnownName, number: number): void {
    if (!queue.isShared) this.#unsharedByNumber.set(number, queue);
  }

  unexpect(number: number): void {
    if (this.#unsharedByNumber.size > 0) this.#unsharedByNumber.delete(number);
  }

  /** The one whose entry has that number. */
  find(name: string, number: number): KnownName | undefined {
    const shared = this.#shared.get(name);
    return shared?.hasEntry(number) === true ? shared : this.#unsharedByNumber.get(number);
  }

  /** It is idle. */
  forget(queue: KnownName): void {
    if (!queue.isShared) {
      this.#unshared.delete(queue);
      return;
    }
    const spare = this.#spare;
    if (spare !== undefined && spare !== queue && spare.isIdle && this.#shared.get(spare.name) === spare) {
      this.#shared.delete(spare.name);
    }
    this.#spare = queue;
  }

  *[Symbol.iterator](): Iterator<KnownName> {
    yield* this.#shared.values();
    yield* this.#unshared;
  }
}
