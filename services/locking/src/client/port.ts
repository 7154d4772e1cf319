/**
 * All that the locks need of a client library, and all that they know of one. Each library has an adapter behind this
 * interface (`adapters/<library>.ts`); nothing else in this package names a library.
 *
 * What an adapter promises:
 *
 * - **Errors.** Where Redis has answered with an error, the promise rejects with an `Error` whose message begins with the
 *   code of Redis: `NOSCRIPT ...`, `READONLY ...`, `WRONGTYPE ...`. Any other rejection means *unknown*: the call may have
 *   been executed, or may be executed later. So are a time-out, a connection that was lost, and a call that the library
 *   gave up. MOVED, ASK and TRYAGAIN of a cluster are the library's business; if it gives up, that is unknown too.
 * - **Replies** are what Redis sent: integers as numbers, bulk strings as strings (UTF-8), arrays as arrays, null as null;
 *   for scripts the same in RESP2 and RESP3.
 * - **Nothing is bounded here**, and nothing is retried: `calls.ts` does both. A promise may even stay open for ever.
 * - **Only the public interface** of the library is used.
 */
export interface Adapter {
  /** As the library is called on npm, for messages. */
  readonly library: string;
  /**
   * Whether the client was made by this library. Judged by its shape and not by `instanceof`: nobody needs a library
   * installed that they do not use, and some have several copies of one.
   */
  recognises(client: unknown): boolean;
  /**
   * @param client one that it recognises
   * @throws TypeError in one sentence: the client cannot be used for locks at all
   */
  open(client: unknown): ClientPort;
}

/** One Redis, or one cluster, as the program's client leads to it. */
export interface ClientPort {
  /** What the program's client puts before every key. The locks put it before theirs on connections of their own. */
  readonly keyPrefix: string;
  /** Several nodes share the keys. Each of them counts only its own subscribers. */
  readonly isCluster: boolean;
  /** The program's client itself. The locks open it if it is not open yet, and never close it. */
  readonly shared: Connection;
  /** A connection of our own with the address, the credentials and the database of the client; not open yet. */
  connect(settings: ConnectionSettings): Connection;
  /** The same for messages: those of the channel that is subscribed to. */
  connectSubscriber(settings: ConnectionSettings, onMessage: (message: string) => void): Subscriber;
  /**
   * For the locks that use the client itself.
   * @throws TypeError in one sentence: an option of the client changes what scripts reply
   */
  checkReplies(): void;
}

export interface ConnectionSettings {
  /** How the connection is called in CLIENT LIST. */
  readonly name: string;
  /** Longest wait for one reply. A connection that was accepted is given up if it is not ready after a few of these. */
  readonly replyTimeoutMs: number;
}

/**
 * `idle`: nobody has opened it yet. `opening`: for the first time. `ready`: what is sent now goes out now. `broken`: it is
 * being made anew. `ended`: for good, by whoever owns it.
 */
export type ConnectionState = 'idle' | 'opening' | 'ready' | 'broken' | 'ended';

/** The connection itself, apart from what is sent over it. */
export interface Link {
  readonly state: ConnectionState;
  /** How often a connection has closed so far; of a cluster, one to any of its nodes. */
  readonly closes: number;
  /** Begins to connect if it is idle. It connects anew by itself for as long as it is not closed. */
  open(): void;
  /**
   * Gives up a connection that does not answer, or leads to the wrong server, and makes it anew. Does nothing to that of a
   * cluster, which sees to it itself, and to the one of the program.
   */
  reconnect(): void;
  /** Ends it without waiting for replies. Does nothing to the one of the program. */
  close(): void;
  /**
   * `ready`: it is ready, for the first time or again. `close`: it is not any more.
   * @returns removes the listener
   */
  on(event: LinkEvent, listener: () => void): () => void;
}

export type LinkEvent = 'ready' | 'close';

/** Sends commands. One of our own never keeps a command for later: what cannot be sent now is rejected. */
export interface Connection {
  readonly link: Link;
  /** What it puts before every key by itself; nothing on a connection of our own. */
  readonly keyPrefix: string;
  /**
   * Whether the library sends a command again whose connection has closed, so that it may be executed twice. Otherwise
   * such a command is lost, and perhaps its promise stays open.
   */
  readonly resends: boolean;
  /**
   * Whether a script that cannot be sent now is left to the library, which sends it later, in the order in which it was
   * asked. That of the program: the library may send a grant again at the end of an outage, and its release has to come
   * after it.
   */
  readonly queues: boolean;

  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  hdel(key: string, field: string): Promise<number>;
  publish(channel: string, message: string): Promise<number>;
  get(key: string): Promise<string | null>;
  type(key: string): Promise<string>;
  info(): Promise<string>;
  /** Pairs in an array, or an object by parameter, as the client is set to read maps. */
  configGet(parameter: string): Promise<unknown>;
  /** All keys that match, page by page; of a cluster, those of all primaries. The pattern is used as it is. */
  scan(pattern: string, count: number): AsyncIterable<readonly string[]>;
}

/** Receives messages. After `ready` nothing is subscribed: whoever listens subscribes again. */
export interface Subscriber {
  readonly link: Link;
  subscribe(channel: string): Promise<unknown>;
}
