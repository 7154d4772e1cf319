import { badRelease, release, scale } from './planned.ts';
import type { Scenario } from './scenario.ts';
import {
  cableOut,
  leaderKilled,
  nodeKilled,
  postgresCableOut,
  postgresHandsOver,
  postgresKilled,
  redisCableOut,
  redisKilled,
} from './strikes.ts';

/** In the order in which they are played. */
export const SCENARIOS: readonly Scenario[] = [
  scale,
  release,
  badRelease,
  nodeKilled,
  leaderKilled,
  cableOut,
  redisKilled,
  redisCableOut,
  postgresHandsOver,
  postgresKilled,
  postgresCableOut,
];
