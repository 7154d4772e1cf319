import { Redis } from 'ioredis';
import type { Logger } from 'pino';

const CONNECT_TIMEOUT_MS = 2_000;

/** Longest pause between two tries to reach the server again: so much longer than itself may an outage seem. */
const LONGEST_PAUSE_MS = 1_000;

/** A client that comes back by itself and keeps nothing for later. */
export function openRedis(url: string, log: Logger): Redis {
  const redis = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A command that cannot be sent now fails now: one that waited would take a lock for somebody who has long gone.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    // Jitter, because all replicas lose the server at the same moment.
    retryStrategy: (attempt) => Math.min(LONGEST_PAUSE_MS, 50 * 2 ** attempt) * (0.5 + Math.random() / 2),
  });
  // One line per outage, not one per try.
  let isDown = false;
  redis.on('ready', () => {
    if (isDown) log.info('Redis is back');
    isDown = false;
  });
  redis.on('error', (err: Error) => {
    if (!isDown) log.warn({ err }, 'Redis is out of reach');
    isDown = true;
  });
  return redis;
}
