import type { Drill } from './drill.ts';
import { everythingAtOnce } from './drills/everything-at-once.ts';
import { killHolder } from './drills/kill-holder.ts';
import { killReplicaInTransaction } from './drills/kill-replica-in-transaction.ts';
import { pauseHolder } from './drills/pause-holder.ts';
import { nginxReload, rollingRestart, scaleUpDown } from './drills/planned-work.ts';
import { postgresCrash, postgresPause, postgresRestart } from './drills/postgres.ts';
import { quorumLosesOne, quorumLosesTwo } from './drills/quorum.ts';
import { redisCrash, redisEvicts, redisFlush, redisFull, redisPause, redisRestart } from './drills/redis.ts';

/** In this order: what shows the difference between guards first. */
export const DRILLS: readonly Drill[] = [
  pauseHolder,
  killHolder,
  killReplicaInTransaction,
  redisFlush,
  redisRestart,
  redisCrash,
  redisPause,
  redisFull,
  redisEvicts,
  quorumLosesOne,
  quorumLosesTwo,
  postgresRestart,
  postgresCrash,
  postgresPause,
  everythingAtOnce,
  nginxReload,
  rollingRestart,
  scaleUpDown,
];

export const DRILL_NAMES = DRILLS.map(({ name }) => name);
