import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  name,
  names,
  number,
  readTable,
  text,
  UsageError,
  variablesOf,
  yes,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { MISTAKES, type Mistake } from './mistakes/mistakes.ts';
import { FAULT_NAMES, FAULTS, type FaultName } from './plan.ts';

export interface Options {
  help: boolean;
  histories: number;
  seed: number;
  strategies: string[];
  faults: readonly FaultName[];
  /** Of the history that is played: only these of its asks and faults. */
  only: ReadonlySet<string> | null;
  trace: boolean;
  mistake: Mistake | 'all' | null;
  json: JsonTarget;
}

/** There is one Redis. */
const NOT_MODELLED: ReadonlySet<StrategyName> = new Set(['quorum-lock']);
const MODELLED = STRATEGY_NAMES.filter((name) => !NOT_MODELLED.has(name));
/** Those that sell nothing twice, whatever happens. */
const EXACT = MODELLED.filter((name) => name !== 'no-lock' && name !== 'simple-lock');

const HISTORIES = 2_000;

export const TABLE = {
  histories: number({ min: 1, max: 100_000_000, what: `so many (default: ${HISTORIES})` }),
  seed: number({ min: 0, max: 2 ** 31, what: 'of the first; the next ones count on (default: the time)' }),
  strategy: names(['all', ...MODELLED], { what: `whose, by comma (default: ${EXACT.join(',')})` }),
  faults: text('NAMES', { what: 'by comma, or none (default: all)', variable: 'FAULTS' }),
  only: text('PARTS', { what: 'of a history, as a3,f1: leave out the others' }),
  trace: yes({ what: 'print what happens in each history' }),
  mistake: name(['all', ...MISTAKES.map(({ name }) => name)], {
    what: 'make a mistake in the sources, and see how soon it is found',
  }),
  json: json('what was found'),
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const mistake =
    given.mistake === 'all' ? 'all' : (MISTAKES.find(({ name }) => name === given.mistake) ?? null);
  const ofMistake = mistake === 'all' ? null : mistake;
  const asked = given.strategy ?? (ofMistake === null ? EXACT : [ofMistake.strategy]);
  if (mistake === 'all') refuseBesideAll(given);
  return {
    help: given.help,
    histories: given.histories ?? (mistake === null ? HISTORIES : MISTAKE_HISTORIES),
    seed: given.seed ?? Math.floor(Date.now() / 1_000),
    strategies: asked.includes('all') ? MODELLED : asked,
    faults: given.faults === undefined ? (ofMistake?.faults ?? FAULT_NAMES) : faultsOf(given.faults),
    only: given.only === undefined ? null : partsOf(given.only),
    trace: given.trace,
    mistake,
    json: given.json,
  };
}

/** Each mistake is found in far fewer. */
const MISTAKE_HISTORIES = 5_000;

function faultsOf(said: string): FaultName[] {
  if (said === 'none') return [];
  return said.split(',').map((word) => {
    const found = FAULT_NAMES.find((name) => name === word.trim());
    if (found === undefined)
      throw new UsageError(`FAULTS=${said}: none, or some of ${FAULT_NAMES.join(', ')}`);
    return found;
  });
}

/** Each mistake says itself whose histories show it, and under which faults. */
function refuseBesideAll({
  strategy,
  faults,
  only,
  trace,
}: Partial<Record<'strategy' | 'faults' | 'only', unknown>> & { trace: boolean }): void {
  const given = Object.entries({ strategy, faults, only, trace: trace || undefined });
  const [name] = given.find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined)
    throw new UsageError(
      `${name.toUpperCase()} says nothing to MISTAKE=all: name one mistake, or leave it out`,
    );
}

function partsOf(said: string): Set<string> {
  const parts = said.split(',').map((part) => part.trim());
  const strange = parts.find((part) => !/^[abf]\d+$/.test(part));
  if (strange !== undefined)
    throw new UsageError(
      `ONLY=${strange}: parts are a1, b1 (requests) and f1 (faults), as TRACE=1 shows them`,
    );
  return new Set(parts);
}

/** What plays that one history again. */
export function commandOf(
  { faults, mistake }: Pick<Options, 'faults' | 'mistake'>,
  { seed, strategy, parts }: { seed: number; strategy: string; parts: readonly string[] },
): string {
  const words = [
    'make simulation HISTORIES=1',
    `SEED=${seed}`,
    `STRATEGY=${strategy}`,
    `ONLY=${parts.join(',')}`,
  ];
  if (faults !== FAULT_NAMES) words.push(`FAULTS=${faults.length === 0 ? 'none' : faults.join(',')}`);
  if (mistake !== null && mistake !== 'all') words.push(`MISTAKE=${mistake.name}`);
  return [...words, 'TRACE=1'].join(' ');
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);

export const HELP = helpText({
  summary:
    'Plays the service’s strategies and its locks in one process, over models of Redis and Postgres, with faults at any ' +
    'moment; checks each history. One seed is one history, always the same.',
  examples: [
    ['make simulation', `${HISTORIES} histories of all strategies that promise to sell nothing twice`],
    ['make simulation HISTORIES=100000 SEED=1', 'the same hundred thousand, whenever it is run'],
    ['make simulation STRATEGY=simple-lock', 'see it oversell'],
    ['make simulation SEED=7 HISTORIES=1 STRATEGY=fenced-lock TRACE=1', 'watch one history'],
    ['make simulation MISTAKE=all', 'how many histories it takes to find each of the seeded mistakes'],
  ],
  program: 'simulation/main.ts',
  table: TABLE,
  notes: `Faults:
${FAULT_NAMES.map((name) => `  ${name}: ${FAULTS[name]}`).join('\n')}

Mistakes:
${MISTAKES.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Exit code: 0 nothing was found in strategies that promise it, or each mistake was; 1 otherwise; 2 a wrong option; 130 interrupted.`,
});
