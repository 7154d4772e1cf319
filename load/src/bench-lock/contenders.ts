import type { Contender } from './contender.ts';
import { queueUncoalesced } from './contenders/queue-uncoalesced.ts';
import { queue } from './contenders/queue.ts';
import { quorum } from './contenders/quorum.ts';
import { redisSemaphore } from './contenders/redis-semaphore.ts';
import { redlockUniversal } from './contenders/redlock-universal.ts';
import { redlock } from './contenders/redlock.ts';
import { simple } from './contenders/simple.ts';
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
];

export function contenderOf(key: string): Contender {
  const found = contenders.find((contender) => contender.key === key);
  if (!found) throw new Error(`no contender is called ${key}`);
  return found;
}
