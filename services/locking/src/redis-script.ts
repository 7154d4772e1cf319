import { createHash } from 'node:crypto';

import type { Cluster, Redis } from 'ioredis';

import { systemClock } from './clock.ts';
import type { RoundTripListener } from './lock-events.ts';
import { readLua } from './lua-file.ts';
import { isRefusal } from './redis-errors.ts';
import { startTimeout } from './with-timeout.ts';
import { explainWrongType } from './wrong-type.ts';

/** What the locks need of ioredis: one server, or a cluster (each name's keys share one hash tag, hence one slot). */
export type RedisClient = Redis | Cluster;

export function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as Redis).isCluster;
}

export interface ScriptReply {
  reply: unknown;
  /**
   * A connection closed while the call was under way, so ioredis may have sent it twice, and this reply may be that of
   * the second time: "you do not hold it" can then mean "you have just released it".
   */
  mayHaveRunTwice: boolean;
}

export interface ScriptBounds {
  readonly timeoutMs: number;
  /** Told of each call that was answered. */
  readonly onRoundTrip?: RoundTripListener | undefined;
}

/**
 * Runs the script. Rejects after `timeoutMs` at the latest, whatever the connection does (ioredis queues without a
 * limit while it is offline); what was sent may then still run, at any later time.
 */
export type RedisScript = (
  redis: RedisClient,
  keys: readonly string[],
  args: readonly (string | number)[],
  bounds: ScriptBounds,
) => Promise<ScriptReply>;

/** The script `lua/<name>.lua`, called by its hash: one round trip, and a second one after SCRIPT FLUSH or a restart. */
export function loadScript(name: string): RedisScript {
  const text = readLua(`${name}.lua`);
  const sha1 = createHash('sha1').update(text).digest('hex');

  return async (redis, keys, args, { timeoutMs, onRoundTrip }) => {
    const sentAtMs = systemClock.now();
    const connection = closesOf(redis);
    const closesBefore = connection.closes;
    const timeout = startTimeout(timeoutMs);

    const run = async (): Promise<unknown> => {
      try {
        return await redis.evalsha(sha1, keys.length, ...keys, ...args);
      } catch (error) {
        // Given up: sending the text now would run it after a release that the caller has sent since.
        if (!isNoScript(error) || timeout.passed()) throw error;
        return redis.eval(text, keys.length, ...keys, ...args);
      }
    };

    try {
      const reply = await Promise.race([run(), timeout.promise]);
      onRoundTrip?.(name, systemClock.now() - sentAtMs);
      return { reply, mayHaveRunTwice: connection.closes !== closesBefore };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const types = keys.map(() => ['string']);
      throw await explainWrongType(error, redis, keys, types, timeoutMs);
    } finally {
      timeout.clear();
    }
  };
}

/** Whether a command sent now goes out now, or as soon as the first connection stands, and not after an outage. */
export function isSendable(redis: RedisClient): boolean {
  if (redis.status === 'ready') return true;
  return closesOf(redis).closes === 0 && ['wait', 'connecting', 'connect'].includes(redis.status);
}

/** Resolves when a command can be sent, and has the client connect if nobody has yet. */
export async function whenReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  if (redis.status === 'wait') redis.connect().catch(() => undefined);
  if (redis.status !== 'ready' && redis.status !== 'end') {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    for (const event of ['ready', 'end']) redis.once(event, resolve);
    await promise;
    clearTimeout(timer);
    for (const event of ['ready', 'end']) redis.off(event, resolve);
  }
  const status: string = redis.status;
  if (status !== 'ready') throw new Error(`not connected to Redis (${status})`);
}

/** Whether asking again is in vain: Redis has refused for a reason that waiting does not cure, or was disconnected. */
export function isInVain(error: unknown, redis: RedisClient): boolean {
  return redis.status === 'end' || isRefusal(error);
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

// One listener per client for as long as the client lives, however many locks use it.
const counted = new WeakMap<RedisClient, { closes: number }>();

/** How often a connection of that client has closed. A cluster has one to each node, and sends again what was lost there. */
export function closesOf(redis: RedisClient): { readonly closes: number } {
  const known = counted.get(redis);
  if (known !== undefined) return known;
  const count = { closes: 0 };
  const onClose = () => {
    count.closes += 1;
  };
  redis.on('close', onClose);
  if (isCluster(redis)) {
    for (const node of redis.nodes()) node.on('close', onClose);
    redis.on('+node', (node: Redis) => node.on('close', onClose));
  }
  counted.set(redis, count);
  return count;
}
