import type { Alarms } from '../alarms.ts';
import { lockKey } from '../lock-name.ts';
import type { RedisClient } from '../redis-script.ts';
import { scanKeys } from '../scan-keys.ts';
import { createRedisCalls, type Script } from './redis-calls.ts';
import { duplicateFor, isCluster } from './redis-connections.ts';
import { createSubscription } from './redis-subscription.ts';
import { queueScripts } from './scripts.ts';
import type { Grant, Queued, QueueMessages, QueueStore } from './store.ts';

export interface RedisQueueStoreOptions {
  readonly client: string;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
  readonly claimMs: number;
  readonly staleMs: number;
  readonly tokenMemoryMs: number;
  readonly onRoundTrip: ((script: string, tookMs: number) => void) | undefined;
}

/** How many waiters `inspect` lists: more than anybody reads, and still a short answer. */
const inspectedWaiters = 100;

/** The steps of the queue lock as Lua scripts; `lua/queue-*.lua` tell their arguments and replies. */
export function openRedisQueueStore(
  redis: RedisClient,
  alarms: Alarms,
  messages: QueueMessages,
  {
    client,
    keyPrefix,
    commandTimeoutMs,
    claimMs,
    staleMs,
    tokenMemoryMs,
    onRoundTrip,
  }: RedisQueueStoreOptions,
): QueueStore {
  // What ioredis would put before every key; our own connections leave keys alone.
  const outerPrefix = redis.options.keyPrefix ?? '';
  const channelPrefix = `${outerPrefix}${keyPrefix}@`;
  const keyStart = outerPrefix + lockKey(keyPrefix, '').slice(0, -1);
  const nameOf = (key: string) => key.slice(keyStart.length, -1);

  const scripts = queueScripts({
    channelPrefix,
    claimMs,
    staleMs,
    // Long enough that a client which was cut off or blocked for a while finds its place again.
    queueMemoryMs: 4 * staleMs,
    tokenMemoryMs,
    countsReceivers: !isCluster(redis),
  });
  const connection = duplicateFor(redis, 'locks');
  const calls = createRedisCalls(connection, alarms, commandTimeoutMs, onRoundTrip);
  connection.on('ready', () => messages.reachable());
  const subscription = createSubscription(redis, alarms, commandTimeoutMs, `${channelPrefix}${client}`, {
    onListening: () => messages.listening(),
    onMessage(message) {
      const [what, number] = message.split(' ', 2) as ['granted' | 'asked' | 'stolen', string];
      const name = nameOf(message.slice(what.length + number.length + 2));
      messages[what](name, number);
    },
  });

  function run<T>(script: Script, name: string, args: readonly (string | number)[]): Promise<T> {
    const key = `${keyStart}${name}}`;
    const keys = [key, `${key}:queue`, `${key}:waiting`, `${key}:token`];
    return calls.run(script, keys, args) as Promise<T>;
  }

  return {
    client,
    get listening() {
      return subscription.listening;
    },

    async acquire(name, { id, ttlMs, tokenAbove, enqueue, place, reserve }) {
      const args = [id, ttlMs, tokenAbove, flag(enqueue), place ?? '', flag(reserve)];
      const reply = await run<GrantReply | QueuedReply>(scripts.acquire, name, args);
      return reply[0] === 1 ? grant(reply) : queued(reply);
    },

    async extend(name, { id, ttlMs, reserve }) {
      const args = [id, ttlMs, flag(reserve)];
      const reply = await run<[1, number, number] | NotHeldReply>(scripts.extend, name, args);
      return reply[0] === 1 ? { is: 'kept', reserved: reply[1], waiting: reply[2] } : notHeld(reply);
    },

    async yield(name, { id, nextId, lastToken, ttlMs, tokenAbove }) {
      const args = [id, lastToken, ttlMs, tokenAbove, nextId];
      const reply = await run<GrantReply | QueuedReply | NotHeldReply>(scripts.yield, name, args);
      if (reply[0] === 1) return grant(reply);
      return reply[0] === 2 ? queued(reply) : notHeld(reply);
    },

    async release(name, { id, lastToken }) {
      const reply = await run<[1, 0 | 1] | NotHeldReply>(scripts.release, name, [id, lastToken ?? '']);
      return reply[0] === 1 ? { is: 'released', handedOver: reply[1] === 1 } : notHeld(reply);
    },

    async poll(name, id) {
      subscription.probe();
      const reply = await run<[1, string, number, number] | [0]>(scripts.poll, name, [id, client]);
      if (reply[0] === 0) return { is: 'vanished' };
      const [, holder, holderTtlMs, before] = reply;
      return { is: 'seen', holder, holderTtlMs, before };
    },

    async steal(name, { id, ttlMs, tokenAbove }) {
      return grant(await run<GrantReply>(scripts.steal, name, [id, ttlMs, tokenAbove]));
    },

    async inspect(name) {
      const reply = await run<[string, number, number, number, string[]]>(scripts.inspect, name, [
        inspectedWaiters,
      ]);
      const [holder, token, holderTtlMs, waiting, waiters] = reply;
      return { holder: holder || undefined, token: token || undefined, holderTtlMs, waiting, waiters };
    },

    async heldNames() {
      const names: string[] = [];
      for await (const keys of scanKeys(connection, keyStart, '}', commandTimeoutMs))
        names.push(...keys.map(nameOf));
      return [...new Set(names)];
    },

    open() {
      // Failed attempts are repeated by the connection itself.
      if (connection.status === 'wait') connection.connect().catch(() => undefined);
      subscription.open();
    },

    async close() {
      subscription.close();
      calls.close();
      connection.disconnect();
    },
  };
}

type GrantReply = [1, token: number, reserved: number, clockUs: number, waiting: number];
type QueuedReply = [2, holder: string, holderTtlMs: number, place: number, before: number];
type NotHeldReply = [0 | -1];

function grant([, token, reserved, clockUs, waiting]: GrantReply): Grant {
  return { is: 'granted', token, reserved, clockUs, waiting };
}

function queued([, holder, holderTtlMs, place, before]: QueuedReply): Queued {
  return { is: 'queued', holder, holderTtlMs, place: place === -1 ? undefined : place, before };
}

function notHeld([reply]: NotHeldReply) {
  return { is: reply === 0 ? ('gone' as const) : ('taken' as const) };
}

function flag(on: boolean): number {
  return on ? 1 : 0;
}
