import { createCalls } from '../client/calls.ts';
import { isWrongType, RefusedError } from '../client/errors.ts';
import type { ClientPort } from '../client/port.ts';
import { scanKeys } from '../client/scan-keys.ts';
import type { Script } from '../client/script.ts';
import { lockKey } from '../lock-name.ts';
import type { QueueStoreOptions } from '../queue-lock-options.ts';
import type { Timers } from '../timers.ts';
import { queueScripts } from './scripts.ts';
import type {
  Released,
  Grant,
  HandedOver,
  Holder,
  Inspection,
  Extended,
  NotHeld,
  Queued,
  QueueMessages,
  QueueStore,
  Seen,
  Vanished,
} from './store.ts';
import { createSubscription } from './subscription.ts';

/** What each key of a name holds. (A string instead of the lock is somebody else's, and respected.) */
const keyTypes = [['hash', 'string'], ['zset'], ['zset'], ['string']];

/** How many waiters `inspect` lists: more than anybody reads, and still a short answer. */
const inspectedWaiters = 100;

/** The steps of the queue lock as Lua scripts; `lua/queue-*.lua` tell their arguments and replies. */
export function openRedisQueueStore(
  client: ClientPort,
  timers: Timers,
  messages: QueueMessages,
  { clientId, keyPrefix, commandTimeoutMs, staleMs, tokenMemoryMs, onRoundTrip }: QueueStoreOptions,
): QueueStore {
  // What the program's client would put before every key; our own connections leave keys alone.
  const outerPrefix = client.keyPrefix;
  const channelPrefix = `${outerPrefix}${keyPrefix}@`;
  const keyStart = outerPrefix + lockKey(keyPrefix, '').slice(0, -1);
  const nameOf = (key: string) => key.slice(keyStart.length, -1);

  const scripts = queueScripts({
    channelPrefix,
    staleMs,
    // Long enough that a client which was cut off or blocked for a while finds its place again.
    queueMemoryMs: 4 * staleMs,
    tokenMemoryMs,
    countsReceivers: !client.isCluster,
  });
  const connection = client.connect({ name: 'locks', replyTimeoutMs: commandTimeoutMs });
  const calls = createCalls(connection, timers, { timeoutMs: commandTimeoutMs, onRoundTrip, keyTypes });
  const channel = `${channelPrefix}${clientId}`;
  const publish = async (message: string) => (await calls.send((own) => own.publish(channel, message))).reply;
  connection.link.on('ready', () => {
    messages.reachable();
    subscription.follow();
  });
  const subscription = createSubscription(client, timers, commandTimeoutMs, channel, publish, {
    onListening: () => messages.listening(),
    onMessage(text) {
      const message = readMessage(text);
      if (message === undefined) messages.ignored();
      else if (message.what === 'granted')
        messages.granted(nameOf(message.key), message.number, message.grant);
      else messages[message.what](nameOf(message.key), message.number);
    },
  });

  async function run<R, T>(
    script: Script,
    name: string,
    args: readonly string[],
    read: (reply: R, mayHaveRunTwice: boolean) => T,
  ): Promise<T> {
    const key = `${keyStart}${name}}`;
    const keys = [key, `${key}:queue`, `${key}:waiting`, `${key}:token`];
    const { reply, mayHaveRunTwice } = await calls.run(script, keys, args);
    return read(reply as R, mayHaveRunTwice);
  }

  /**
   * As long as nobody waits, this is enough, and costs Redis a third of what the script does. Otherwise it changes
   * nothing.
   */
  async function releaseAlone(
    name: string,
    id: string,
  ): Promise<{ done: boolean; mayHaveRunTwice: boolean }> {
    try {
      const { reply, mayHaveRunTwice } = await calls.send(
        (own) => own.hdel(`${keyStart}${name}}`, id),
        'hdel',
      );
      return { done: reply === 1, mayHaveRunTwice };
    } catch (error) {
      // Somebody else's value is there, and what was looked for is not.
      if (error instanceof RefusedError && isWrongType(error)) return { done: false, mayHaveRunTwice: false };
      throw error;
    }
  }

  return {
    client: clientId,
    get listening() {
      return subscription.listening;
    },

    acquire: (name, { id, ttlMs, tokenAbove, enqueue, place, reserve }) =>
      run(
        scripts.acquire,
        name,
        tokenAbove === 0 && enqueue && place === undefined && !reserve
          ? [id, `${ttlMs}`]
          : [id, `${ttlMs}`, `${tokenAbove}`, enqueue ? `${place ?? 0}` : '', flag(reserve)],
        (reply: number | GrantReply | QueuedReply) =>
          typeof reply === 'number' ? grantOfFree(reply) : grantOrPlace(reply),
      ),

    extend: (name, { id, ttlMs, reserved }) =>
      run(scripts.extend, name, [id, `${ttlMs}`, `${reserved ?? ''}`], keptOrNot),

    yield: (name, { id, nextId, firstToken, lastToken, ttlMs, tokenAbove }) =>
      run(
        scripts.yield,
        name,
        [id, `${lastToken}`, `${ttlMs}`, `${tokenAbove}`, nextId, `${firstToken}`],
        grantPlaceOrNot,
      ),

    async release(name, { id, lastToken, contended }) {
      const byScript = () => run(scripts.release, name, [id, `${lastToken ?? ''}`], releasedOrNot);
      if (contended || lastToken !== undefined) return byScript();
      const alone = await releaseAlone(name, id);
      return alone.done ? releasedAlone : endedOnce(await byScript(), alone.mayHaveRunTwice);
    },

    poll(name, id) {
      subscription.probe();
      return run(scripts.poll, name, [id, clientId], seenOrVanished);
    },

    steal: (name, { id, ttlMs, tokenAbove }) =>
      run(scripts.steal, name, [id, `${ttlMs}`, `${tokenAbove}`], grant),

    inspect: (name) => run(scripts.inspect, name, [`${inspectedWaiters}`], inspection),

    async heldNames() {
      const names: string[] = [];
      for await (const keys of scanKeys(calls, keyStart, '}')) names.push(...keys.map(nameOf));
      return [...new Set(names)];
    },

    open() {
      connection.link.open();
      subscription.open();
    },

    async close() {
      subscription.close();
      calls.close();
      connection.link.close();
    },
  };
}

// The replies of the scripts, as their first lines tell them.

type GrantReply = [1, token: number, reserved: number, clockUs: number, waiting: number];
type QueuedReply = [2, held: string, holderTtlMs: number, place: number, before: number];
type NotHeldReply = [0 | -1];

type Ended = Released | NotHeld;

const releasedAlone: Released = { is: 'released', handedOver: false };

function flag(on: boolean): string {
  return on ? '1' : '';
}

/** The common case has the shortest reply. */
function grantOfFree(token: number): Grant {
  return { is: 'granted', token, reserved: token, clockUs: token, waiting: 0 };
}

function grant([, token, reserved, clockUs, waiting]: GrantReply): Grant {
  return { is: 'granted', token, reserved, clockUs, waiting };
}

function queued([, held, holderTtlMs, place, before]: QueuedReply): Queued {
  return { is: 'queued', ...holder(held, holderTtlMs), place: place === -1 ? undefined : place, before };
}

/** "<id> <token>"; anything else was written by somebody else. */
function holder(held: string, holderTtlMs: number): Holder {
  if (held === '') return { holder: undefined, holderToken: undefined, holderTtlMs };
  const space = held.lastIndexOf(' ');
  if (space === -1) return { holder: held, holderToken: undefined, holderTtlMs };
  return { holder: held.slice(0, space), holderToken: Number(held.slice(space + 1)), holderTtlMs };
}

function notHeld(reply: 0 | -1): NotHeld {
  return { is: reply === 0 ? 'gone' : 'taken' };
}

function grantOrPlace(reply: GrantReply | QueuedReply): Grant | Queued {
  return reply[0] === 1 ? grant(reply) : queued(reply);
}

function grantPlaceOrNot(reply: GrantReply | QueuedReply | NotHeldReply): Grant | Queued | NotHeld {
  return reply[0] === 1 || reply[0] === 2 ? grantOrPlace(reply) : notHeld(reply[0]);
}

function keptOrNot(reply: [1, reserved: number, waiting: number] | NotHeldReply): Extended | NotHeld {
  return reply[0] === 1 ? { is: 'extended', reserved: reply[1], waiting: reply[2] } : notHeld(reply[0]);
}

function releasedOrNot(reply: 1 | 2 | 0 | -1, mayHaveRunTwice: boolean): Ended {
  if (reply === 1 || reply === 2) return { is: 'released', handedOver: reply === 2 };
  return endedOnce(notHeld(reply), mayHaveRunTwice);
}

/** Not held any more, the second time: it was given back the first time. */
function endedOnce(ended: Ended, mayHaveRunTwice: boolean): Ended {
  return mayHaveRunTwice && ended.is !== 'released' ? releasedAlone : ended;
}

function seenOrVanished(
  reply: [1, held: string, holderTtlMs: number, before: number] | [0],
): Seen | Vanished {
  if (reply[0] === 0) return { is: 'vanished' };
  const [, held, holderTtlMs, before] = reply;
  return { is: 'seen', ...holder(held, holderTtlMs), before };
}

function inspection(
  reply: [held: string, holderTtlMs: number, waiting: number, waiters: string[]],
): Inspection {
  const [held, holderTtlMs, waiting, waiters] = reply;
  const { holder: id, holderToken: token } = holder(held, holderTtlMs);
  return { holder: id, token, holderTtlMs, waiting, waiters };
}

type Message = { readonly number: number; readonly key: string } & (
  | { readonly what: 'granted'; readonly grant: HandedOver }
  | { readonly what: 'asked' | 'stolen' }
);

// "<what> <number> ... <key>"; what stands between is told in lua/queue-common.lua. A key may have anything in it.
const grantedMessage = /^granted (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)$/s;
const shortMessage = /^(asked|stolen) (\d+) (.*)$/s;

/** Undefined: a later version may send more than this one knows. */
function readMessage(text: string): Message | undefined {
  const granted = grantedMessage.exec(text);
  if (granted !== null) {
    const [number, token, reserved, clockUs, ttlMs, waiting] = granted.slice(1, 7).map(Number) as Numbers;
    const grant: HandedOver = { is: 'granted', token, reserved, clockUs, ttlMs, waiting };
    return { what: 'granted', number, grant, key: granted[7] ?? '' };
  }
  const short = shortMessage.exec(text);
  if (short === null) return undefined;
  return { what: short[1] as 'asked' | 'stolen', number: Number(short[2]), key: short[3] ?? '' };
}

type Numbers = [number, number, number, number, number, number];
