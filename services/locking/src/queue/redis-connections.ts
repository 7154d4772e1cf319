import type { Alarm, Alarms } from '../alarms.ts';
import { isDemotion } from '../redis-errors.ts';
import { isCluster, type RedisClient } from '../redis-script.ts';
import { OneBufferConnector } from './one-buffer-connector.ts';

/**
 * A connection of our own to the same Redis, with our own habits. Nothing of the program's traffic stands in its way
 * (a BLPOP, a transaction, a queue of offline commands), and no command is executed at a time when nobody waits for it
 * any more: what cannot be sent now is refused, what was under way when the connection broke is not sent again.
 */
export function duplicateFor(
  redis: RedisClient,
  connectionName: string,
  alarms: Alarms,
  timeoutMs: number,
): RedisClient {
  const habits = {
    keyPrefix: '',
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
  };
  const repliesAsTheyCome = {
    // (A cluster tells by itself who the primary is now.)
    reconnectOnError: isCluster(redis) ? null : whenDemoted(alarms),
    // Each call has a time-out of its own. (A subscription that ioredis gives up would not be tried again.)
    commandTimeout: undefined,
    stringNumbers: false,
  };
  const connection = isCluster(redis)
    ? redis.duplicate([], {
        ...habits,
        clusterRetryStrategy: reconnectDelayMs,
        redisOptions: repliesAsTheyCome,
      })
    : redis.duplicate({
        ...habits,
        ...repliesAsTheyCome,
        connectionName,
        autoResendUnfulfilledCommands: false,
        autoResubscribe: false,
        monitor: false,
        retryStrategy: reconnectDelayMs,
        ...(OneBufferConnector.isFor(redis.options) && { Connector: OneBufferConnector }),
      });
  // Without a listener ioredis would print each failed attempt to connect; the calls say what is wrong.
  connection.on('error', () => undefined);
  boundHandshake(connection, alarms, timeoutMs);
  return connection;
}

/** Connecting anew costs what is under way its answer: not more often than we would wait for it. */
const demotionPauseMs = 1_000;

/** Connects anew when the server says that it is not the primary any more: the address may point to another one. */
function whenDemoted({ clock }: Alarms): (error: Error) => boolean {
  let lastMs = -Infinity;
  return (error) => {
    if (!isDemotion(error) || clock.now() - lastMs < demotionPauseMs) return false;
    lastMs = clock.now();
    return true;
  };
}

/** Who we are, which protocol, and whether the data is loaded: so many answers in a row make a connection ready. */
const handshakeReplies = 3;

/**
 * ioredis bounds how long connecting may take, and not the handshake after it: a connection that somebody accepts and
 * nobody answers (a firewall, a stopped server) would be waited for until TCP gives up, which may be never.
 */
function boundHandshake(connection: RedisClient, alarms: Alarms, timeoutMs: number): void {
  if (isCluster(connection)) return;
  const unanswered: Alarm = { atMs: 0, slot: -1, ring: () => connectAnew(connection) };
  connection.on('connect', () => alarms.set(unanswered, alarms.clock.now() + handshakeReplies * timeoutMs));
  for (const settled of ['ready', 'close', 'end']) connection.on(settled, () => alarms.clear(unanswered));
}

/**
 * Gives up a connection that does not answer. Without a farewell, for which ioredis would wait two more seconds.
 * (A cluster looks after its connections itself.)
 */
export function connectAnew(connection: RedisClient): void {
  if (!isCluster(connection)) connection.stream.destroy();
}

/** At once, then ever slower up to once a second: whoever waits for a lock should not wait for a reconnection too. */
function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(20 * 2 ** Math.min(attempt, 10), 1_000);
  return delayMs / 2 + (Math.random() * delayMs) / 2;
}
