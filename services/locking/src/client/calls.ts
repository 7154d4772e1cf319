import { type Linked, LinkedList } from '../linked-list.ts';
import type { RoundTripListener } from '../lock-events.ts';
import type { Timer, Timers } from '../timers.ts';
import {
  isDemotion,
  isNoScript,
  isRefusal,
  isWrongType,
  notConnected,
  RefusedError,
  ServiceClosedError,
} from './errors.ts';
import type { Connection } from './port.ts';
import type { Script } from './script.ts';

/** Calls over one connection, each of them bounded in time. A rejection with anything but `RefusedError` means: unknown. */
export interface Calls {
  readonly connection: Connection;
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply<unknown>>;
  /** @param toldAs as which script the listener for round trips is told of it; undefined: not at all */
  send<T>(command: Command<T>, toldAs?: string): Promise<Reply<T>>;
  /** Rejects all calls under way, and all later ones. */
  close(): void;
}

export type Command<T> = (connection: Connection) => Promise<T>;

export interface Reply<T> {
  readonly reply: T;
  /**
   * A connection closed while the call was under way and the library may have sent it again, so this may be the reply of
   * the second time: "you do not hold it" can then mean "you have just released it".
   */
  readonly mayHaveRunTwice: boolean;
}

export interface CallSettings {
  /** Longest wait for one reply, in milliseconds. */
  readonly timeoutMs: number;
  /** Told of each call that was answered. */
  readonly onRoundTrip?: RoundTripListener | undefined;
  /** Which types each key of a script may have. */
  readonly keyTypes?: readonly (readonly string[])[];
}

/**
 * A connection on which a question is not answered for so long is given up and made anew. (Behind a firewall that has
 * dropped it, it would stay silent for a quarter of an hour.) Not sooner: a server that was only stopped for a while still
 * executes what the old connection has sent, and perhaps after what the new one sends.
 */
const deadConnectionMs = 10_000;

/** Connecting anew loses the replies to what is under way. So there is at least this time between two times. */
const demotionPauseMs = 1_000;

/**
 * How many calls may be under way at once; the others wait here until replies come in. Sent all at once, ten thousand
 * calls would keep each other waiting for longer than their time-out, and Redis would be taken for silent while it
 * answers as fast as it can. A thousand calls take it some hundredths of a second, and are enough to keep it busy.
 */
const maxUnderWay = 1_000;

/** A call that waits here while Redis answers others, however slowly, is given up after that many time-outs. */
const longestWaitTimeouts = 10;

class Call implements Linked<Call> {
  next: Call | undefined;
  previous: Call | undefined;
  /** Undefined: it is over. */
  list: LinkedList<Call> | undefined;
  sentMs = 0;
  /** How many connections had closed when it was sent. */
  closesBefore = 0;

  readonly command: Command<unknown>;
  /** What to send instead if the server does not have the script. */
  readonly withText: Command<unknown> | undefined;
  readonly keys: readonly string[];
  readonly toldAs: string | undefined;
  readonly sinceMs: number;
  readonly resolve: (reply: Reply<unknown>) => void;
  readonly reject: (error: Error) => void;

  constructor(
    { command, withText, keys, toldAs }: Asked,
    sinceMs: number,
    resolve: (reply: Reply<unknown>) => void,
    reject: (error: Error) => void,
  ) {
    this.command = command;
    this.withText = withText;
    this.keys = keys;
    this.toldAs = toldAs;
    this.sinceMs = sinceMs;
    this.resolve = resolve;
    this.reject = reject;
  }
}

type Asked = Pick<Call, 'command' | 'withText' | 'keys' | 'toldAs'>;

/**
 * What this adds to a client library, whose queues have no limit in time or size:
 * - a call that cannot be sent now waits here, for as long as others are answered meanwhile, but not for longer than
 *   its time-out if there is silence, and is then never sent (unless it is left to the library, see `Connection.queues`);
 * - a call that was sent has its time-out from then on;
 * - a call whose connection closes is rejected at once, and only its caller sends it again (where the library sends it
 *   again, the reply says that it may have run twice);
 * - a server that is not the primary any more is left, if the connection is ours;
 * - one timer for all calls: they have the same time-out, so the oldest of them is the first to reach it.
 */
export function createCalls(connection: Connection, timers: Timers, settings: CallSettings): Calls {
  const { timeoutMs, onRoundTrip, keyTypes = [] } = settings;
  const { link } = connection;
  const { clock } = timers;
  const waiting = new LinkedList<Call>();
  const underWay = new LinkedList<Call>();
  let lastReplyMs = clock.now();
  let lastDemotionMs = -Infinity;
  let closed = false;

  const timeout: Timer = {
    atMs: 0,
    slot: -1,
    fire() {
      const now = clock.now();
      for (let call = underWay.first; call !== undefined && dueMs(call) <= now; call = underWay.first) {
        const silent = lastReplyMs < call.sentMs;
        end(call);
        call.reject(new Error(`no reply within ${timeoutMs} ms`));
        if (silent && now - lastReplyMs > deadConnectionMs) reconnect();
      }
      for (let call = waiting.first; call !== undefined && dueMs(call) <= now; call = waiting.first) {
        end(call);
        call.reject(
          link.state === 'ready' ? new Error('too many calls under way') : notConnected(link.state),
        );
      }
      sendWaiting();
      const [sent, unsent] = [underWay.first, waiting.first];
      const nextMs = Math.min(sent ? dueMs(sent) : Infinity, unsent ? dueMs(unsent) : Infinity);
      if (nextMs !== Infinity) timers.arm(timeout, nextMs);
    },
  };

  function dueMs({ list, sinceMs, sentMs }: Call): number {
    if (list === underWay) return sentMs + timeoutMs;
    return Math.min(Math.max(sinceMs, lastReplyMs) + timeoutMs, sinceMs + longestWaitTimeouts * timeoutMs);
  }

  function ask(asked: Asked): Promise<Reply<unknown>> {
    if (closed) return Promise.reject(new ServiceClosedError());
    if (link.state === 'ended') return Promise.reject(notConnected(link.state));
    link.open();
    return new Promise((resolve, reject) => {
      const sinceMs = clock.now();
      const call = new Call(asked, sinceMs, resolve, reject);
      // It must keep its order among the calls that the library sends again.
      const now = connection.queues && call.withText !== undefined && link.state !== 'ready';
      if (now) begin(call, sinceMs);
      else enter(waiting, call);
      sendWaiting();
      if (!timers.isArmed(timeout)) timers.arm(timeout, sinceMs + timeoutMs);
    });
  }

  function enter(list: LinkedList<Call>, call: Call): void {
    call.list = list;
    list.push(call);
  }

  function end(call: Call): void {
    call.list?.remove(call);
    call.list = undefined;
  }

  function sendWaiting(): void {
    if (waiting.first === undefined || link.state !== 'ready') return;
    const now = clock.now();
    for (let call = waiting.first; call !== undefined && underWay.size < maxUnderWay; call = waiting.first) {
      end(call);
      begin(call, now);
    }
  }

  function begin(call: Call, now: number): void {
    enter(underWay, call);
    call.sentMs = now;
    call.closesBefore = link.closes;
    start(call, call.command);
  }

  function start(call: Call, command: Command<unknown>): void {
    command(connection).then(
      (reply) => succeed(call, reply),
      (error: Error) => fail(call, error),
    );
  }

  function succeed(call: Call, reply: unknown): void {
    lastReplyMs = clock.now();
    if (call.list === undefined) return;
    end(call);
    if (call.toldAs !== undefined) onRoundTrip?.(call.toldAs, lastReplyMs - call.sentMs);
    call.resolve({ reply, mayHaveRunTwice: link.closes !== call.closesBefore });
    sendWaiting();
  }

  function fail(call: Call, error: Error): void {
    // One that has been given up must not be executed now, after what its caller has sent since.
    if (call.list === undefined) return;
    if (call.withText !== undefined && isNoScript(error)) {
      start(call, call.withText);
      return;
    }
    end(call);
    if (isDemotion(error)) leave();
    if (isRefusal(error)) void refuse(call, error);
    else call.reject(closed ? new ServiceClosedError() : error);
    sendWaiting();
  }

  async function refuse(call: Call, error: Error): Promise<void> {
    const message = (await whichKey(call, error).catch(() => undefined)) ?? error.message;
    call.reject(new RefusedError(message, { cause: error }));
  }

  /** Redis does not say which key has a value of a wrong type, nor which type. As a rule another program wrote it. */
  async function whichKey({ keys }: Call, error: Error): Promise<string | undefined> {
    if (!isWrongType(error)) return undefined;
    const present = await Promise.all(keys.map((key) => calls.send((own) => own.type(key))));
    for (const [i, { reply: type }] of present.entries()) {
      const right = keyTypes[i];
      if (type === 'none' || right === undefined || right.includes(type)) continue;
      const key = JSON.stringify(`${connection.keyPrefix}${keys[i]}`);
      return `WRONGTYPE The key ${key} holds a ${type}, where a lock has a ${right[0]}: delete it, or choose another keyPrefix.`;
    }
    return undefined;
  }

  /** The address may lead to another server by now. */
  function leave(): void {
    const now = clock.now();
    if (now - lastDemotionMs < demotionPauseMs) return;
    lastDemotionMs = now;
    reconnect();
  }

  function reconnect(): void {
    lastReplyMs = clock.now();
    link.reconnect();
  }

  function failAll(list: LinkedList<Call>, error: Error): void {
    for (let call = list.first; call !== undefined; call = list.first) {
      end(call);
      call.reject(error);
    }
  }

  const stopListening = [
    link.on('ready', () => {
      lastReplyMs = clock.now();
      sendWaiting();
    }),
    link.on('close', () => {
      if (!connection.resends) failAll(underWay, new Error('the connection to Redis was closed'));
      if (link.state === 'ended') failAll(waiting, notConnected(link.state));
    }),
  ];

  const calls: Calls = {
    connection,
    run: ({ name, text, sha1 }, keys, args) =>
      ask({
        command: (own) => own.evalsha(sha1, keys, args),
        withText: (own) => own.eval(text, keys, args),
        keys,
        toldAs: name,
      }),
    send: <T>(command: Command<T>, toldAs?: string) =>
      ask({ command, withText: undefined, keys: [], toldAs }) as Promise<Reply<T>>,
    close() {
      closed = true;
      timers.disarm(timeout);
      for (const stop of stopListening) stop();
      for (const list of [underWay, waiting]) failAll(list, new ServiceClosedError());
    },
  };
  return calls;
}

/**
 * Whether a call made now goes out now, or as soon as the first connection stands. Otherwise it would go out at the end of
 * an outage, when perhaps nobody waits for it any more.
 */
export function isSendable({ link }: Connection): boolean {
  return link.state === 'ready' || link.state === 'opening' || link.state === 'idle';
}
