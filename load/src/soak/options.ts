import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  names,
  number,
  readTable,
  variablesOf,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { DRILL_NAMES } from '../drills/drills.ts';
import { RUNTIME } from '../runtime-option.ts';

export interface Options {
  help: boolean;
  minutes: number;
  seed: number;
  /** Ends after so many faults, should the time not be over before. */
  faults: number;
  /** Null: all that the stack can be struck by. */
  drills: string[] | null;
  /** Null: all that promise never to sell a ticket twice. */
  strategies: StrategyName[] | null;
  runtime: 'native' | 'docker' | undefined;
  json: JsonTarget;
}

const MINUTES = 10;
const MOST_SEEDS = 999_999;

export const TABLE = {
  minutes: number({ min: 1, max: 10_080, what: `for how long faults strike (default: ${MINUTES})` }),
  seed: number({ min: 1, max: MOST_SEEDS, what: 'what the faults are drawn from (default: any)' }),
  faults: number({
    min: 1,
    max: 1_000_000,
    what: 'end after so many faults (default: when the time is over)',
  }),
  name: names(DRILL_NAMES, { what: 'only the faults of these drills (default: all that can strike)' }),
  strategy: names([...STRATEGY_NAMES], {
    what: 'these guards (default: all that promise never to sell a ticket twice)',
  }),
  runtime: RUNTIME,
  json: json('what was found'),
};

export const HELP = helpText({
  summary:
    'Lets a stack of its own sell for a long time, with every guard at once, while the faults of the drills strike it at ' +
    'random, each healed before the next one, sometimes two at a time. Everything that was said and sold is judged by the ' +
    'checks of the lab, and what each part uses at the end is compared with the beginning.',
  examples: [
    ['make soak', 'ten minutes, some 80 faults'],
    ['make soak MINUTES=60 SEED=7', 'an hour; the seed draws the same faults again'],
    ['make soak NAME=redis-flush,pause-holder FAULTS=20', 'some faults only'],
  ],
  program: 'load/src/soak/main.ts',
  table: TABLE,
  notes: `Ctrl-C ends it early: what is struck is healed, and everything is checked and reported all the same. The history of every operation is kept in the folder that the last line names.

Exit code: 0 nothing was wrong; 1 something was sold, lost or told wrongly, or the service did not come back; 2 a wrong option; 3 nothing was wrong, and something grew or not one fault struck; 130 interrupted.`,
});

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  return {
    help: given.help,
    minutes: given.minutes ?? MINUTES,
    seed: given.seed ?? 1 + Math.floor(Math.random() * MOST_SEEDS),
    faults: given.faults ?? Infinity,
    drills: given.name ?? null,
    strategies: given.strategy ?? null,
    runtime: given.runtime,
    json: given.json,
  };
}

/** What repeats a run. */
export function commandOf({ minutes, seed, faults, drills, strategies, runtime }: Options): string {
  const words = [
    `MINUTES=${minutes}`,
    `SEED=${seed}`,
    Number.isFinite(faults) ? `FAULTS=${faults}` : '',
    drills === null ? '' : `NAME=${drills.join(',')}`,
    strategies === null ? '' : `STRATEGY=${strategies.join(',')}`,
    runtime === undefined ? '' : `RUNTIME=${runtime}`,
  ];
  return ['make soak', ...words.filter(Boolean)].join(' ');
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
