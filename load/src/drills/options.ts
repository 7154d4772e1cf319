import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  name,
  names,
  number,
  readTable,
  UsageError,
  variablesOf,
  yes,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { RUNTIME } from '../runtime-option.ts';
import { DRILL_NAMES, DRILLS } from './drills.ts';
import { MISTAKES, type Mistake } from './mistakes/mistakes.ts';

export interface Options {
  help: boolean;
  drills: string[];
  strategies: StrategyName[];
  /** Strikes, or where bookings are held struck bookings, of each cell. */
  runs: number;
  seed: number;
  /** A drill is over as soon as a guard did not hold what it promises. */
  untilBroken: boolean;
  isMatrix: boolean;
  /** Made in a copy of the repository, which the drill is then played in that must show it. */
  mistakes: readonly Mistake[];
  runtime: 'native' | 'docker' | undefined;
  json: JsonTarget;
}

/** What the project is about: the textbook lock, and the one with a fence. */
const STRATEGIES: StrategyName[] = ['simple-lock', 'fenced-lock'];
const DRILL = 'pause-holder';
const MOST_SEEDS = 999_999;
/** Each mistake is found in far fewer. */
const MISTAKE_RUNS = 20;

export const TABLE = {
  name: names(DRILL_NAMES, { what: `these drills (default: ${DRILL})` }),
  strategy: names([...STRATEGY_NAMES, 'all'], {
    what: `these guards, all at the same time (default: ${STRATEGIES.join(', ')})`,
  }),
  all: yes({ what: 'every drill and every guard, as a matrix: some minutes' }),
  runs: number({
    min: 1,
    max: 1_000,
    what: 'of each: strikes, or where bookings are held, bookings that were struck (default: 1)',
  }),
  seed: number({
    min: 1,
    max: MOST_SEEDS,
    what: 'what the moments and the replicas are drawn from (default: any)',
  }),
  'until-broken': yes({ what: 'no more strikes once a guard did not hold what it promises' }),
  mistake: name(['all', ...MISTAKES.map(({ name }) => name)], {
    what: 'make a mistake in a copy of this repository, and see how many strikes it takes to find it',
  }),
  runtime: RUNTIME,
  json: json('what was found'),
};

export const HELP = helpText({
  summary:
    'Breaks a running system on purpose: on a stack that it starts for itself, buyers come steadily, a fault strikes and is ' +
    'mended, and the checks of the lab say what was sold, lost or told wrongly meanwhile. infra/DRILLS.md says what one sees.',
  examples: [
    [
      'make drill',
      'a holder is paused past its lease: the textbook lock oversells, the fence does not; half a minute',
    ],
    ['make drill NAME=kill-holder STRATEGY=fenced-lock', 'one drill, one guard'],
    ['make drill NAME=pause-holder STRATEGY=simple-lock RUNS=100', 'a hundred bookings that are struck'],
    ['make drill ALL=1', 'the matrix'],
    ['make drill MISTAKE=all', 'how many strikes it takes to find each of the seeded mistakes'],
  ],
  program: 'load/src/drills/main.ts',
  table: TABLE,
  notes: `Drills:
${DRILLS.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Mistakes:
${MISTAKES.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Exit code: 0 every guard held what it promises, or each mistake was found; 1 one did not; 2 a wrong option; 3 all held, and something was not shown or a throughput was below its floor; 130 interrupted.`,
});

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  if (given.mistake !== undefined) refuseBesideMistake(given);
  const strategies = given.strategy ?? (given.all ? ['all' as const] : STRATEGIES);
  const isAll = strategies.includes('all') || strategies.includes('quorum-lock');
  const strange = DRILLS.find(({ name, needsQuorum }) => needsQuorum && given.name?.includes(name) && !isAll);
  if (strange)
    throw new UsageError(`${strange.name} strikes the servers of the quorum lock: add STRATEGY=quorum-lock`);
  return {
    help: given.help,
    drills: given.name ?? (given.all ? namesOf(isAll) : [DRILL]),
    strategies: strategies.includes('all')
      ? [...STRATEGY_NAMES]
      : strategies.filter((name) => name !== 'all'),
    runs: given.runs ?? (given.mistake === undefined ? 1 : MISTAKE_RUNS),
    seed: given.seed ?? 1 + Math.floor(Math.random() * MOST_SEEDS),
    untilBroken: given['until-broken'],
    isMatrix: given.all,
    mistakes: MISTAKES.filter(({ name }) => given.mistake === 'all' || given.mistake === name),
    runtime: given.runtime,
    json: given.json,
  };
}

/** A mistake says itself which drill shows it, and under which guard. */
function refuseBesideMistake({
  name,
  strategy,
  all,
  runtime,
}: Pick<Partial<Options>, 'runtime'> & { name?: unknown; strategy?: unknown; all: boolean }): void {
  const given = Object.entries({ NAME: name, STRATEGY: strategy, ALL: all || undefined });
  const [variable] = given.find(([, value]) => value !== undefined) ?? [];
  if (variable !== undefined)
    throw new UsageError(`${variable} says nothing to MISTAKE, which plays the drill that must find it`);
  if (runtime === 'docker') throw new UsageError('mistakes are played natively only: RUNTIME=native');
}

function namesOf(hasQuorum: boolean): string[] {
  return DRILLS.filter(({ needsQuorum }) => hasQuorum || !needsQuorum).map(({ name }) => name);
}

/** What repeats a run. */
export function commandOf({ drills, strategies, runs, seed, isMatrix, runtime }: Options): string {
  const isAll = strategies.length === STRATEGY_NAMES.length;
  const words = [
    isMatrix && drills.length >= namesOf(false).length ? '' : `NAME=${drills.join(',')}`,
    isAll && isMatrix ? '' : `STRATEGY=${isAll ? 'all' : strategies.join(',')}`,
    isMatrix ? 'ALL=1' : '',
    `RUNS=${runs}`,
    `SEED=${seed}`,
    runtime === undefined ? '' : `RUNTIME=${runtime}`,
  ];
  return ['make drill', ...words.filter(Boolean)].join(' ');
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
