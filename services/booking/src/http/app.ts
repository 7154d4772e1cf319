import { Hono } from 'hono';

import type { Strategies } from '#src/booking/registry.ts';
import type { StrategyName } from '#src/contract.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';

import { createAnswers, type Answers } from './answer.ts';
import { addBookingRoutes } from './booking-routes.ts';
import { addEventRoutes } from './event-routes.ts';
import { addHealthRoutes, type Obstacle } from './health-routes.ts';
import { addLabRoutes } from './lab-routes.ts';
import type { ProblemLog } from './log-problem.ts';
import { ProblemError } from './problem.ts';
import type { Env } from './read-input.ts';
import { addStrategyRoutes } from './strategy-routes.ts';

/** What the routes are made of. */
export interface AppDeps {
  instanceId: string;
  labMode: boolean;
  adminToken: string | undefined;
  raceWindowMs: number;
  log: ProblemLog;
  db: PooledDb;
  reads: Db;
  strategies: Strategies;
  isQuorumConfigured: boolean;
  /** How many attempts this instance has had to repeat. */
  retriesOf: (strategy: StrategyName) => number;
  /** What keeps this instance from booking; empty when nothing does. Bounded in time. */
  findObstacles: () => Promise<Obstacle[]>;
}

export interface RouteDeps extends AppDeps {
  answers: Answers;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

export function createApp(appDeps: AppDeps): Hono<Env> {
  const deps: RouteDeps = { ...appDeps, answers: createAnswers(appDeps.instanceId, appDeps.log) };
  const { answers } = deps;
  const app = new Hono<Env>();

  addBookingRoutes(app, deps);
  addEventRoutes(app, deps);
  addStrategyRoutes(app, deps);
  addLabRoutes(app, deps);
  addHealthRoutes(app, deps);

  app.notFound((c) => {
    const allowed = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
    if (allowed.length === 0) {
      return answers.problem(c, { code: 'not_found', detail: `There is nothing at ${c.req.path}.` });
    }
    if (allowed.includes('GET')) allowed.push('HEAD');
    return answers.problem(c, {
      code: 'method_not_allowed',
      detail: `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`,
      headers: { allow: allowed.join(', ') },
    });
  });

  app.onError((error, c) => {
    if (error instanceof ProblemError) return answers.problem(c, error.problem);
    return answers.problem(c, {
      code: 'internal',
      detail: 'An unexpected error; the log of the instance tells more.',
      cause: error,
    });
  });

  return app;
}
