import { createCalls } from '../client/calls.ts';
import type { Uses } from '../client/check-server.ts';
import { isWrongType, RefusedError } from '../client/errors.ts';
import type { ClientPort } from '../client/port.ts';
import { scanKeys } from '../client/scan.ts';
import type { Script } from '../client/script.ts';
import { lockKey } from '../lock-name.ts';
import type { Timers } from '../timers.ts';
import {
  endedOnce,
  extendedOrNot,
  grant,
  grantOfFree,
  grantOrPlace,
  grantPlaceOrNot,
  type GrantReply,
  inspection,
  type QueuedReply,
  readMessage,
  releasedAlone,
  releasedOrNot,
  seenOrVanished,
} from './replies.ts';
import { queueScripts, queueScriptTexts } from './scripts.ts';
import type { QueueMessages, QueueStore, QueueStoreOptions } from './store.ts';
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
  {
    clientId,
    keyPrefix,
    commandTimeoutMs,
    staleMs,
    queueMemoryMs,
    tokenMemoryMs,
    onRoundTrip,
  }: QueueStoreOptions,
): QueueStore {
  const channelPrefix = channelPrefixOf(client, keyPrefix);
  // What the program's client would put before every key; our own connections leave keys alone.
  const keyStart = client.keyPrefix + lockKey(keyPrefix, '').slice(0, -1);
  const nameOf = (key: string) => key.slice(keyStart.length, -1);

  const scripts = queueScripts({
    channelPrefix,
    staleMs,
    queueMemoryMs,
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
      run(scripts.extend, name, [id, `${ttlMs}`, `${reserved ?? ''}`], extendedOrNot),

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

function flag(on: boolean): string {
  return on ? '1' : '';
}

/** What the store of such a lock does with Redis. */
export function usesOfQueueLock(client: ClientPort, keyPrefix: string): Uses {
  return {
    key: lockKey(keyPrefix, 'name'),
    channel: channelPrefixOf(client, keyPrefix),
    scripts: queueScriptTexts,
    commands: ['HDEL', 'PUBLISH', 'SUBSCRIBE'],
  };
}

function channelPrefixOf(client: ClientPort, keyPrefix: string): string {
  return `${client.keyPrefix}${keyPrefix}@`;
}
