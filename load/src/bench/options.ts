import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  json,
  names,
  number,
  numbers,
  readTable,
  UsageError,
  variablesOf,
  yes,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import type { Pace } from './step.ts';

/** What a bench is made of, in the order in which it is done. */
const USUAL_PARTS = ['speed', 'rush', 'exactness', 'messages', 'replicas'] as const;

/** The last one is done only where it is asked for: it is about two guards, and takes as long as all the others. */
export const BENCH_PARTS = [...USUAL_PARTS, 'compare'] as const;

export type BenchPart = (typeof BENCH_PARTS)[number];

export interface Options {
  help: boolean;
  isQuick: boolean;
  parts: BenchPart[];
  /** Null for every strategy that the service offers. */
  only: StrategyName[] | null;
  connections: number[];
  pace: Pace;
  /** Runs for each strategy in which nothing may be oversold or undersold. */
  exactness: number;
  /** Slices of each guard in the part that compares two. */
  comparedSlices: number;
  json: JsonTarget;
}

// Nine slices are the fewest whose interval of 95 % leaves one out at each end; a second is a hundred bookings of all but
// the slowest guard; and all of it takes a quarter of an hour.
const USUAL: Pace = { repeats: 9, warmUpMs: 500, windowMs: 1_000 };
// To see that all is in order, and the order of magnitude.
const QUICK: Pace = { repeats: 1, warmUpMs: 400, windowMs: 1_000 };

const CONNECTIONS = [8, 64, 512];
// Two with the race window and one without.
const EXACTNESS = 3;
const COMPARED_SLICES = 10;

export const TABLE = {
  quick: yes({ what: 'one short repeat: to see that all is in order, not to quote from' }),
  repeats: number({
    min: 1,
    max: 100,
    what: 'slices of each figure; everything else is measured in every third of them',
  }),
  'window-ms': number({ min: 200, max: 60_000, what: 'how long each measurement lasts, after a warm-up' }),
  exactness: number({ min: 1, max: 10_000, what: 'runs in which each strategy must sell exactly' }),
  only: names(STRATEGY_NAMES, { what: 'these strategies, by comma' }),
  connections: numbers({
    min: 1,
    max: 4_096,
    what: 'buyers at a time on one hot event, by comma (default: 8,64,512)',
  }),
  parts: names(BENCH_PARTS, { what: 'by comma (default: all but compare)' }),
  json: json('every measurement'),
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const parts = given.parts ?? [...USUAL_PARTS];
  const only = given.only ?? null;
  if (parts.includes('compare') && only?.length !== 2) {
    throw new UsageError('--parts compare: --only has to name the two that are compared');
  }
  const usual = given.quick ? QUICK : USUAL;
  return {
    help: given.help,
    isQuick: given.quick,
    parts,
    only,
    connections: given.connections ?? CONNECTIONS,
    pace: {
      ...usual,
      repeats: given.repeats ?? usual.repeats,
      windowMs: given['window-ms'] ?? usual.windowMs,
    },
    exactness: given.exactness ?? (given.quick ? 1 : EXACTNESS),
    comparedSlices: given.repeats ?? (given.quick ? 1 : COMPARED_SLICES),
    json: given.json,
  };
}

/** Of everything, for as long as usual or longer: a run that may be compared with others like it. */
export function isFullRun({ isQuick, only, parts, connections, pace }: Options): boolean {
  const hasAll = only === null && USUAL_PARTS.every((part) => parts.includes(part));
  const isLong = pace.repeats >= USUAL.repeats && pace.windowMs >= USUAL.windowMs;
  return !isQuick && hasAll && isLong && CONNECTIONS.every((crowd) => connections.includes(crowd));
}

/** Every variable that says something to this program. */
export const variables = (): string[] => ['RUNTIME', ...variablesOf(TABLE)];
