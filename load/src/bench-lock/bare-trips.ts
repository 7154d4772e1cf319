import { setTimeout as sleep } from 'node:timers/promises';

import { nowMs } from './clock.ts';
import { connectCounted } from './wire.ts';

export interface BareTripsPlan {
  url: string;
  pauseMs: number;
  untilMs: number;
}

/**
 * Two round trips to Redis with nothing in them, one after the other, timed together: what a hand-over cannot do
 * without, since the release goes to Redis and on to the next process, whose answer goes there and back. The pause
 * between the pairs is as long as the critical section of the hand-overs that they are compared with, so that both
 * begin in a process that slept.
 */
export async function timeBareTrips({ url, pauseMs, untilMs }: BareTripsPlan): Promise<Float64Array> {
  const redis = await connectCounted(url, { writes: 0 });
  const pairsMs: number[] = [];
  while (nowMs() < untilMs) {
    await sleep(pauseMs);
    const startMs = nowMs();
    await redis.ping();
    await redis.ping();
    pairsMs.push(nowMs() - startMs);
  }
  redis.disconnect();
  return Float64Array.from(pairsMs);
}
