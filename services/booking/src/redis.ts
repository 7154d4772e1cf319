import { Redis } from 'ioredis';
import type { Logger } from 'pino';

import { createOutageLog } from '#src/outage-log.ts';

const CONNECT_TIMEOUT_MS = 2_000;

/** Longest pause between two tries to reach the server again: so much longer than itself may an outage seem. */
const LONGEST_PAUSE_MS = 1_000;

/** One server, or the sentinels that know which of several is the primary now. */
export type RedisAddress = { url: string } | { sentinels: { host: string; port: number }[]; name: string };

/** A client that comes back by itself, to whichever server is the primary then, and keeps nothing for later. */
export function openRedis(address: RedisAddress, log: Logger): Redis {
  const options = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A command that cannot be sent now fails now: one that waited would take a lock for somebody who has long gone.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    retryStrategy: pauseBefore,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
  };
  const redis =
    'url' in address
      ? new Redis(address.url, options)
      : new Redis({
          ...options,
          ...address,
          sentinelRetryStrategy: pauseBefore,
          // A primary that has stopped keeps its connections open: the sentinels say when another one has taken over.
          failoverDetector: true,
        });
  const outages = createOutageLog(log, 'Redis');
  redis.on('ready', outages.back);
  redis.on('error', outages.lost);
  // ioredis gives up for good where it is told of a failover at the moment in which it asks for the primary.
  redis.on('end', () => {
    if (closed.has(redis)) return;
    setTimeout(() => {
      if (!closed.has(redis)) redis.connect().catch(() => {}); // it ends anew, and is heard of there
    }, pauseBefore(1)).unref();
  });
  return redis;
}

const closed = new WeakSet<Redis>();

/** It does not come back by itself any more. */
export function closeRedis(redis: Redis): void {
  closed.add(redis);
  redis.disconnect();
}

/** Jitter, because all replicas lose the server at the same moment. */
function pauseBefore(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);
}
