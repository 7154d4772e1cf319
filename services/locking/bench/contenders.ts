import type { Contender } from './contender.ts';
import { barePromises } from './contenders/bare-promises.ts';
import { queueUncoalesced } from './contenders/queue-uncoalesced.ts';
import { queue } from './contenders/queue.ts';
import { quorum } from './contenders/quorum.ts';
import { redisSemaphore } from './contenders/redis-semaphore.ts';
import { redlockUniversal } from './contenders/redlock-universal.ts';
import { redlock } from './contenders/redlock.ts';
import { simple } from './contenders/simple.ts';
import { howToMeasureSyncguard, syncguard } from './contenders/syncguard.ts';
import { verrou } from './contenders/verrou.ts';

/** Ours first, then the others. */
export const contenders: readonly Contender[] = [
  queue,
  queueUncoalesced,
  simple,
  quorum,
  redlock,
  redisSemaphore,
  redlockUniversal,
  verrou,
  ...(syncguard === undefined ? [] : [syncguard]),
];

/** Who is not measured here, and why. */
export const leftOut: readonly string[] = syncguard === undefined ? [howToMeasureSyncguard] : [];

/** Not in the race: what they are measured beside, where waiters of one process are counted by the thousand. */
export const control = barePromises;

export function contenderOf(key: string): Contender {
  const found = [...contenders, control].find((contender) => contender.key === key);
  if (!found) throw new Error(`no contender is called ${key}`);
  return found;
}
