import type { Keys, Operation } from './operation.ts';
import type { Sendable } from './sender.ts';

/** Hears how a call ends. */
export interface CallOwner {
  succeed(call: Call, reply: unknown): void;
  fail(call: Call, error: Error): void;
}

/**
 * Says what a reply means. It may be that of the second time: in a cluster ioredis sends a call again whose connection
 * has closed.
 */
export type Read<T> = (reply: unknown, mayHaveRunTwice: boolean) => T | Promise<T>;

/** One call: what is sent, its link in the list that it stands in, and the promise of its caller. */
export class Call implements Sendable {
  next: Call | undefined;
  previous: Call | undefined;
  /** Undefined: it is over. */
  list: CallList | undefined;
  sentMs = 0;
  /** How many connections had closed when it was sent. */
  closesBefore = 0;

  readonly operation: Operation;
  readonly keys: Keys;
  readonly args: readonly string[];
  readonly sinceMs: number;
  readonly #owner: CallOwner;
  readonly #read: Read<unknown>;
  readonly #resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;

  constructor(
    owner: CallOwner,
    operation: Operation,
    keys: Keys,
    args: readonly string[],
    sinceMs: number,
    read: Read<unknown>,
    resolve: (result: unknown) => void,
    reject: (error: Error) => void,
  ) {
    this.#owner = owner;
    this.operation = operation;
    this.keys = keys;
    this.args = args;
    this.sinceMs = sinceMs;
    this.#read = read;
    this.#resolve = resolve;
    this.reject = reject;
  }

  /** Reads the reply, and resolves with what it says. */
  resolve(reply: unknown, mayHaveRunTwice: boolean): void {
    this.#resolve(this.#read(reply, mayHaveRunTwice));
  }

  succeed(reply: unknown): void {
    this.#owner.succeed(this, reply);
  }

  fail(error: Error): void {
    this.#owner.fail(this, error);
  }
}

/** Calls in their order. Any of them may end at any time, in constant time. */
export class CallList {
  size = 0;
  first: Call | undefined;
  #last: Call | undefined;

  push(call: Call): void {
    call.list = this;
    call.previous = this.#last;
    if (this.#last === undefined) this.first = call;
    else this.#last.next = call;
    this.#last = call;
    this.size += 1;
  }

  remove(call: Call): void {
    const { previous, next } = call;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    call.previous = undefined;
    call.next = undefined;
    call.list = undefined;
    this.size -= 1;
  }
}
