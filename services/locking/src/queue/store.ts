import type { RoundTripListener } from '../lock-events.ts';
import type { Timers } from '../timers.ts';

/**
 * All that the queue lock asks of Redis: eight steps, each executed as a whole, and the messages they send. The rest
 * of the algorithm knows no Redis; tests run it against a model of these steps.
 *
 * Each step rejects in bounded time. A rejection means *unknown*: it may have been executed, or may be still. That is
 * why each of them can be sent again with the same ids, and then answers the same.
 */
export interface QueueStore {
  /** This client among all clients of the same Redis, now and ever. */
  readonly client: string;
  /** Whether messages reach us. Otherwise we take no place in the queue: we would be passed over. */
  readonly listening: boolean;

  /** Takes a free lock, or a place in the queue; or tells a waiter that it has been made the holder. */
  acquire(name: string, request: AcquireRequest): Promise<Grant | Queued>;
  /** Keeps the lock for `ttlMs` from now if it is still ours. */
  extend(name: string, request: ExtendRequest): Promise<Extended | NotHeld>;
  /** Keeps the lock if nobody else waits, otherwise hands it over and takes the last place in the queue. */
  yield(name: string, request: YieldRequest): Promise<Grant | Queued | NotHeld>;
  /** Ends whatever the id has: hands the lock over, or gives up the place in the queue. */
  release(name: string, request: ReleaseRequest): Promise<Released | NotHeld>;
  /** A sign of life of a waiting client, and a look at what it may not have been told. `id`: its oldest waiter. */
  poll(name: string, id: string): Promise<Seen | Vanished>;
  /** Takes the lock from whoever holds it. */
  steal(name: string, request: AcquireRequest): Promise<Grant>;
  inspect(name: string): Promise<Inspection>;
  /** All names that are held now. Slow: looks through the whole key space. */
  heldNames(): Promise<string[]>;

  /** Begins to connect, if it has not yet. */
  open(): void;
  /** Bounded. Calls under way are rejected. */
  close(): Promise<void>;
}

/** What Redis tells a client unasked. A hint: it may be lost, come late, or come twice. */
export interface QueueMessages {
  /** The waiter has been made the holder. */
  granted(name: string, number: number, grant: HandedOver): void;
  /** Somebody waits for a lock whose holder wanted to be told, or would end it without a look at the queue. */
  asked(name: string, number: number): void;
  /** The lock was stolen from its holder. */
  stolen(name: string, number: number): void;
  /** Something that this version does not know. */
  ignored(): void;
  /** Messages reach us (again): what was sent before is lost, so everything has to be looked at once. */
  listening(): void;
  /** Redis can be asked (again). */
  reachable(): void;
}

export interface AcquireRequest {
  id: string;
  ttlMs: number;
  tokenAbove: number;
  /** Take a place in the queue if it is not free. */
  enqueue: boolean;
  /** The place that it had before. */
  place: number | undefined;
  /** Reserve tokens that the holder may give away by itself. */
  reserve: boolean;
}

export interface ExtendRequest {
  id: string;
  ttlMs: number;
  /** If tokens are reserved: the last one that may be given away until the answer comes. */
  reserved: number | undefined;
}

export interface ReleaseRequest {
  id: string;
  /** The last token given away under this id, if more were reserved; 0: none was, whatever the id has. */
  lastToken: number | undefined;
  /** Another client waits for it, in all likelihood. */
  contended: boolean;
}

export interface YieldRequest {
  id: string;
  nextId: string;
  /** The token that the tenure began with. */
  firstToken: number;
  lastToken: number;
  ttlMs: number;
  tokenAbove: number;
}

export interface Grant {
  is: 'granted';
  token: number;
  /** Tokens up to this one may be given away without asking. */
  reserved: number;
  /** The time of Redis when it answered: no token should be larger without need. */
  clockUs: number;
  /** How many wait in Redis. */
  waiting: number;
}

/** A grant that was not asked for at that moment. */
export interface HandedOver extends Grant {
  /** For how long, from the moment at which it was handed over: the TTL of its id. */
  ttlMs: number;
}

/** Who holds a lock that others wait for. */
export interface Holder {
  /** Undefined: nobody, until somebody looks again. */
  holder: string | undefined;
  /** Undefined: not a holder of this kind. */
  holderToken: number | undefined;
  holderTtlMs: number;
}

export interface Queued extends Holder {
  is: 'queued';
  /** To be brought along when the entry was lost; undefined: not in the queue (it was not asked for). */
  place: number | undefined;
  before: number;
}

export interface Extended {
  is: 'extended';
  reserved: number;
  waiting: number;
}

export interface Released {
  is: 'released';
  handedOver: boolean;
}

export interface NotHeld {
  is: 'gone' | 'taken';
}

export interface Seen extends Holder {
  is: 'seen';
  before: number;
}

export interface Vanished {
  is: 'vanished';
}

export interface Inspection {
  holder: string | undefined;
  token: number | undefined;
  holderTtlMs: number;
  waiting: number;
  /** The first of them. */
  waiters: string[];
}

export type OpenQueueStore = (
  messages: QueueMessages,
  options: QueueStoreOptions,
  timers: Timers,
) => QueueStore;

/** What a store is told when it is opened. */
export interface QueueStoreOptions {
  readonly clientId: string;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
  /** A client that has given no sign of life for so long is passed over. */
  readonly staleMs: number;
  /** How long a name queue is kept after the last sign of life. */
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
  readonly onRoundTrip: RoundTripListener | undefined;
}
