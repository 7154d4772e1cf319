import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  names,
  number,
  readTable,
  UsageError,
  variablesOf,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import type { Drill } from '../drills/drill.ts';
import { DRILL_NAMES, DRILLS } from '../drills/drills.ts';
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

/**
 * The drills whose faults can strike the stack of such a soak: there is always one.
 * @throws UsageError if one that was asked for cannot
 */
export function drillsFor({ drills, strategies }: Pick<Options, 'drills' | 'strategies'>): Drill[] {
  const whyNot = (drill: Drill): string | null => {
    if (drill.needs === 'three-servers') return 'a soak has one server of each';
    if (drill.needsQuorum && !hasQuorum(strategies))
      return 'it strikes the servers of the quorum lock: add STRATEGY=quorum-lock';
    return null;
  };
  if (drills === null) return DRILLS.filter((drill) => whyNot(drill) === null);
  const asked = DRILLS.filter(({ name }) => drills.includes(name));
  for (const drill of asked) {
    const reason = whyNot(drill);
    if (reason !== null) throw new UsageError(`NAME=${drill.name}: ${reason}`);
  }
  return asked;
}

/** By default every guard that promises never to sell a ticket twice is there, and that lock is one of them. */
export function hasQuorum(strategies: Options['strategies']): boolean {
  return strategies?.includes('quorum-lock') ?? true;
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
