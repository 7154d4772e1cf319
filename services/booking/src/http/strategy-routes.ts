import type { Hono } from 'hono';

import { DEFAULT_STRATEGY, type Strategies } from '#src/booking/registry.ts';
import type { Guarantee, StrategyName, StrategyView } from '#src/contract.ts';

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
        holdsBeside: holdsBeside(strategies, name, guarantee),
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

function holdsBeside(strategies: Strategies, name: StrategyName, guarantee: Guarantee): StrategyName[] {
  if (guarantee === 'none') return [];
  if (guarantee === 'while-lease-held') return [name];
  return [...strategies.values()].filter((other) => other.guarantee === 'always').map(({ name }) => name);
}
