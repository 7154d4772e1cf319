import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { nowMs } from './clock.ts';

export interface BareTripsPlan {
  url: string;
  pauseMs: number;
  windowMs: number;
}

/**
 * Two round trips to Redis with nothing in them, added up: what a hand-over cannot do without, since the release goes
 * to Redis and on to the next process, whose answer goes there and back. Each of the two begins in a process that has
 * slept, as those of a hand-over do: the one process in its critical section, the other one in the queue. (A trip that
 * follows on another one takes about half as long.)
 */
export async function timeBareTrips({ url, pauseMs, windowMs }: BareTripsPlan): Promise<Float64Array> {
  const redis = new Redis(url);
  await redis.ping();
  const untilMs = nowMs() + windowMs;
  const pairsMs: number[] = [];
  while (nowMs() < untilMs) {
    pairsMs.push((await timeBareTrip(redis, pauseMs)) + (await timeBareTrip(redis, pauseMs)));
  }
  redis.disconnect();
  return Float64Array.from(pairsMs);
}

async function timeBareTrip(redis: Redis, pauseMs: number): Promise<number> {
  await sleep(pauseMs);
  const startMs = nowMs();
  await redis.ping();
  return nowMs() - startMs;
}
