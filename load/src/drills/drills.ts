import type { Drill } from './drill.ts';
import { blockEventLoop } from './drills/block-event-loop.ts';
import { clockStep } from './drills/clock-step.ts';
import { everythingAtOnce } from './drills/everything-at-once.ts';
import { postgresFailover, postgresHandOver, redisFailover, redisPrimaryHangs } from './drills/failover.ts';
import { killHolder } from './drills/kill-holder.ts';
import { killReplicaInTransaction } from './drills/kill-replica-in-transaction.ts';
import { lostReply, redisCut, slowNetwork } from './drills/network.ts';
import { pauseHolder } from './drills/pause-holder.ts';
import { nginxReload, rollingRestart, scaleUpDown } from './drills/planned-work.ts';
import { postgresCrash, postgresPause, postgresRestart } from './drills/postgres.ts';
import { quorumLosesOne, quorumLosesTwo } from './drills/quorum.ts';
import {
  redisCrash,
  redisDemoted,
  redisEvicts,
  redisFlush,
  redisFull,
  redisPause,
  redisRestart,
  redisRestartEmpty,
} from './drills/redis.ts';

/** In this order: what shows the difference between guards first. */
export const DRILLS: readonly Drill[] = [
  pauseHolder,
  blockEventLoop,
  killHolder,
  killReplicaInTransaction,
  redisFlush,
  redisRestart,
  redisRestartEmpty,
  redisCrash,
  redisPause,
  redisDemoted,
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
  redisCut,
  lostReply,
  slowNetwork,
  clockStep,
  redisFailover,
  redisPrimaryHangs,
  postgresHandOver,
  postgresFailover,
];

export const DRILL_NAMES = DRILLS.map(({ name }) => name);
