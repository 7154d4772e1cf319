import type { ReleaseOutcome } from '../lease.ts';
import type { Timer } from '../timers.ts';
import type { Callers, CallersContext, WaiterOwner } from './callers.ts';
import type { KnownName } from './names.ts';
import type { Polled } from './poller.ts';
import type { ServerView } from './server-view.ts';
import type { HandedOver, QueueStore, ReleaseRequest, YieldRequest } from './store.ts';
import type { Tenure, TenureContext, TenureOwner, TenureSettings } from './tenure.ts';

/**
 * The state machine of one name in one process: the callers that want the name share one entry in Redis.
 *
 *                  a caller comes              a place in the queue
 *      idle ------------------------> asking ------------------------> queued
 *                                      | ^                              | |
 *                                      | |  told without enough to begin, or the entry has vanished
 *                                      | +------------------------------+ |
 *                                      |                                  | told all that it takes to begin
 *           granted for another TTL    | granted                          |
 *      confirming <--------------------+-------------+                    |
 *          |                                         v                    |
 *          +------------------------------------> holding <---------------+
 *             Redis keeps it for the right TTL     |  ^ |
 *                                                  |  | | released, callers wait here, the tenure is over
 *      lingering <---------------------------------+  | +------------------> yielding
 *          |        released, nobody waits here,      |                       |   |
 *          |        lingerMs > 0                      +-----------------------+   | others waited: handed over
 *          +--- a caller comes --> holding              nobody else waits         v
 *                                                                               queued
 *
 * From every state back to idle: nobody waits here any more, or the lock is lost. What Redis may still have then is
 * released by its id, which is never used again.
 *
 * A question in `asking`, `confirming` and `yielding` that is not answered is asked again after a pause, by the same id.
 * Each question makes a state object of its own, and its reply counts only while the machine is still in that state:
 * what was asked last tells what is true now.
 */
export type NameState = Idle | Asking | Queued | Confirming | Holding | Lingering | Yielding;

/** Nothing in Redis. */
export interface Idle {
  readonly is: 'idle';
}

/** For the lock, or for a place in the queue; or, after a message or a poll, whether the entry has become the holder. */
export interface Asking {
  readonly is: 'asking';
  readonly entry: Entry;
  /** A message that came before the reply: on two connections either may come first. */
  early: HandedOver | undefined;
}

export interface Queued {
  readonly is: 'queued';
  readonly entry: Entry;
}

/**
 * Redis has granted the lock for another TTL than the first caller wants, because it was asked for by one who has left
 * since. Redis is told, and then that caller begins.
 */
export interface Confirming {
  readonly is: 'confirming';
  readonly entry: Entry;
  readonly tenure: Tenure;
}

/** A caller has the lock. */
export interface Holding {
  readonly is: 'holding';
  readonly entry: Entry;
  readonly tenure: Tenure;
}

/** No caller has the lock, and it is kept for a while: for the next one, as long as nobody else wants it. */
export interface Lingering {
  readonly is: 'lingering';
  readonly entry: Entry;
  readonly tenure: Tenure;
}

/** The tenure is over: Redis is asked to keep the lock if nobody else waits, or to hand it over and queue `next`. */
export interface Yielding {
  readonly is: 'yielding';
  readonly entry: Entry;
  readonly next: Entry;
  readonly request: YieldRequest;
  /** After that there is no point in asking again. */
  readonly untilMs: number;
  /** As in `asking`, for `next`. */
  early: HandedOver | undefined;
}

/** What a name has in Redis under one id: a place in the queue, and later perhaps the lock. */
export interface Entry extends EntryId {
  /** The first place that it was given, if any: it is brought along if it has to be taken again. */
  place: number | undefined;
  /** The longest TTL that Redis was asked for under this id, and so may give it. */
  longestMs: number;
  /** A question for it was not answered: Redis may do at any time what it asked for. */
  unsure: boolean;
}

/** What the functions that move the machine need of it. */
export interface NameMachine extends Timer, TenureOwner, WaiterOwner, Polled, KnownName {
  readonly name: string;
  readonly context: NameContext;
  readonly callers: Callers;
  readonly view: ServerView;
  /** Takes the lock from its holder instead of waiting for it. */
  readonly steals: boolean;
  state: NameState;
  /** Asks for the first caller, with a new entry if there is none. */
  ask(): void;
}

/** What all names of a lock service share. */
export interface NameContext extends CallersContext, TenureContext {
  readonly store: QueueStore;
  readonly settings: NameSettings;
  /**
   * An id never used before; messages for it reach this name from now on.
   * @param ttlMs for how long it wants the lock when it is made the holder
   */
  register(name: KnownName, ttlMs: number): EntryId;
  unregister(entry: EntryId): void;
  /** Asks now and then whether what a queued entry was told is still true. */
  startPolling(name: Polled, holderTtlMs: number): void;
  stopPolling(name: Polled): void;
  /** Ends whatever the id has. Rejects when the first attempt is not answered; goes on trying until one is. */
  release(name: string, number: number, request: ReleaseRequest): Promise<ReleaseOutcome>;
  /** Nobody waits for the name any more, and it has nothing in Redis. */
  forget(name: KnownName): void;
}

export interface NameSettings extends TenureSettings {
  /** The callers of one process share one entry in Redis. */
  readonly coalesce: boolean;
  /** How long the lock is kept, though nobody here wants it, while nobody else asks for it. */
  readonly lingerMs: number;
  /** How long Redis may be silent before those who wait are told. */
  readonly unavailableAfterMs: number;
}

export interface EntryId {
  readonly id: string;
  /** The part of the id that messages bring. */
  readonly number: number;
}

export const idle: Idle = { is: 'idle' };
