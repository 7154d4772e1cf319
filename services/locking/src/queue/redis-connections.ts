import type { Cluster, Redis, RedisOptions } from 'ioredis';

import type { Alarm, Alarms } from '../alarms.ts';
import type { RedisClient } from '../redis-script.ts';
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
  const habits: Partial<RedisOptions> = {
    connectionName,
    keyPrefix: '',
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    retryStrategy: reconnectDelayMs,
  };
  const connection = isCluster(redis)
    ? redis.duplicate([], {
        keyPrefix: '',
        lazyConnect: true,
        enableOfflineQueue: false,
        enableAutoPipelining: false,
        clusterRetryStrategy: reconnectDelayMs,
      })
    : redis.duplicate({
        ...habits,
        ...(OneBufferConnector.isFor(redis.options) && { Connector: OneBufferConnector }),
      });
  // Without a listener ioredis would print each failed attempt to connect; the calls say what is wrong.
  connection.on('error', () => undefined);
  boundHandshake(connection, alarms, timeoutMs);
  return connection;
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

export function isCluster(redis: RedisClient): redis is Cluster {
  return (redis as Redis).isCluster;
}

/** At once, then ever slower up to once a second: whoever waits for a lock should not wait for a reconnection too. */
function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(20 * 2 ** Math.min(attempt, 10), 1_000);
  return delayMs / 2 + (Math.random() * delayMs) / 2;
}
