import type { Hono } from 'hono';

import { DEFAULT_STRATEGY } from '#src/booking/registry.ts';
import type { StrategyView } from '#src/contract.ts';

import type { RouteDeps } from './app.ts';
import { type Env, readQuery } from './read-input.ts';

export function addStrategyRoutes(
  app: Hono<Env>,
  { answers, isQuorumConfigured, labMode, retriesOf, strategies }: RouteDeps,
): void {
  app.get('/strategies', (c) => {
    readQuery(c);
    const views = [...strategies.values()].map(
      ({ name, guarantee, guardsWith, breaksWhen, costs }): StrategyView => ({
        name,
        guarantee,
        guardsWith,
        breaksWhen,
        costs,
        isDefault: name === DEFAULT_STRATEGY,
        available:
          (labMode || name === DEFAULT_STRATEGY || name === 'fenced-lock') &&
          (isQuorumConfigured || name !== 'quorum-lock'),
        retries: retriesOf(name),
      }),
    );
    return answers.json(c, 200, views);
  });
}
