import type { Alarms } from '../alarms.ts';
import type { Released } from '../lease.ts';
import type { LockEventListener } from '../lock-events.ts';
import type { Line } from './line.ts';
import type { QueueStore, ReleaseRequest } from './store.ts';
import type { Waiter } from './waiter.ts';

/** What all lines of a lock service share. */
export interface LineContext {
  readonly store: QueueStore;
  readonly alarms: Alarms;
  readonly emit: LockEventListener | undefined;
  readonly settings: LineSettings;
  /**
   * An id never used before; messages for it reach this line from now on.
   * @param ttlMs for how long it wants the lock when its turn comes
   */
  register(line: Line, ttlMs: number): Entry;
  unregister(entry: Entry): void;
  /** Looks now and then whether what a queued line was told is still true. */
  watch(line: Line, holderTtlMs: number): void;
  unwatch(line: Line): void;
  /** Ends whatever the id has. Rejects when the first attempt is not answered; goes on trying until one is. */
  giveBack(name: string, number: number, request: ReleaseRequest): Promise<Released>;
  /** The caller waits no more. */
  departed(waiter: Waiter): void;
  /** Nobody waits in the line any more, and it has nothing. */
  forget(line: Line): void;
}

export interface LineSettings {
  /** The callers of one process share one entry in Redis. */
  readonly coalesce: boolean;
  /** How long the lock is kept, though nobody here wants it, while nobody else asks for it. */
  readonly lingerMs: number;
  /** How many callers may follow one another before other processes have their turn. */
  readonly turnGrants: number;
  /** And for how long. */
  readonly turnMs: number;
  /** How long Redis may be silent before those who wait are told. */
  readonly unavailableAfterMs: number;
}

/** What a line has in Redis: a place in the queue, or the lock. */
export interface Entry {
  readonly id: string;
  /** The part of the id that messages bring. */
  readonly number: number;
}
