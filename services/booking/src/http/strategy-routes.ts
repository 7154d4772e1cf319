import { createRoute, z } from '@hono/zod-openapi';

import { DEFAULT_STRATEGY, type Strategies } from '#src/booking/registry.ts';
import { type Guarantee, STRATEGY_NAMES, type StrategyName, strategyView } from '#src/contract.ts';

import type { Answers } from './answer.ts';
import { problems } from './problem.ts';
import { createRouter } from './router.ts';

const listStrategies = createRoute({
  operationId: 'listStrategies',
  tags: ['lab'],
  method: 'get',
  path: '/strategies',
  summary: 'List the ways to guard a booking',
  responses: {
    200: {
      description: 'All of them.',
      content: { 'application/json': { schema: z.array(strategyView) } },
    },
    ...problems(),
  },
});

export interface StrategyRouteDeps {
  answers: Answers;
  strategies: Strategies;
  isQuorumConfigured: boolean;
  labMode: boolean;
  /** How many attempts this instance has had to repeat. */
  retriesOf: (strategy: string) => number;
}

export function strategyRoutes(deps: StrategyRouteDeps) {
  const { answers, isQuorumConfigured, labMode, retriesOf, strategies } = deps;
  return createRouter().openapi(listStrategies, async (c) => {
    const views = ours(strategies).map(({ name, guarantee, guardsWith, breaksWhen, costs }) => ({
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
    }));
    return answers.json(c, 200, views);
  });
}

function holdsBeside(strategies: Strategies, name: StrategyName, guarantee: Guarantee): StrategyName[] {
  if (guarantee === 'none') return [];
  if (guarantee === 'while-lease-held') return [name];
  return ours(strategies)
    .filter((other) => other.guarantee === 'always')
    .map(({ name }) => name);
}

/** What a file of the lab says of itself is yet to be shown, so that it stands in no list. */
function ours(strategies: Strategies) {
  return STRATEGY_NAMES.flatMap((name) => {
    const strategy = strategies.get(name);
    return strategy === undefined ? [] : [{ ...strategy, name }];
  });
}
