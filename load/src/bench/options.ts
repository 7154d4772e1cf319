import { parseArgs } from 'node:util';

import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';

import { jsonTarget, wholeNumber } from '../options.ts';
import { UsageError } from '../usage-error.ts';
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
  /** A file, or `-` for the standard output; null for tables only. */
  json: string | null;
}

// Nine slices are the fewest whose interval of 95 % leaves one out at each end; a second is a hundred bookings of all but
// the slowest guard; and all of it takes ten minutes.
const USUAL: Pace = { repeats: 9, warmUpMs: 500, windowMs: 1_000 };
// To see that all is in order, and the order of magnitude.
const QUICK: Pace = { repeats: 1, warmUpMs: 400, windowMs: 1_000 };

const CONNECTIONS = [8, 64, 512];
// Two with the race window and one without.
const EXACTNESS = 3;
const COMPARED_SLICES = 10;
const CONNECTION_RANGE = { min: 1, max: 4_096, what: 'buyers at a time on the hot event' };

/** Each may be written `--name N`, or NAME=N in the environment (which is what `make bench NAME=N` does). */
export const NUMBER_OPTIONS = {
  repeats: {
    min: 1,
    max: 100,
    what: 'slices of each figure; everything else is measured in every third of them',
  },
  'window-ms': { min: 200, max: 60_000, what: 'how long each measurement lasts, after a warm-up' },
  exactness: { min: 1, max: 10_000, what: 'crowds that each strategy must serve exactly' },
};

const FLAGS = {
  quick: { type: 'boolean' },
  only: { type: 'string' },
  connections: { type: 'string' },
  parts: { type: 'string' },
  repeats: { type: 'string' },
  'window-ms': { type: 'string' },
  exactness: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const flags = parse(argv);
  const text = (name: Exclude<keyof typeof FLAGS, 'help' | 'quick'>): string | undefined =>
    flags[name] ?? (env[name.toUpperCase().replaceAll('-', '_')] || undefined);
  const number = (name: keyof typeof NUMBER_OPTIONS): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : wholeNumber(name, value, NUMBER_OPTIONS[name]);
  };
  const list = <T>(name: 'only' | 'connections' | 'parts', read: (item: string) => T): T[] | undefined => {
    const items = text(name)
      ?.split(',')
      .map((item) => item.trim());
    return items && [...new Set(items.map(read))];
  };

  const parts = list('parts', (item) => oneOf('parts', item, BENCH_PARTS)) ?? [...USUAL_PARTS];
  const only = list('only', (item) => oneOf('only', item, STRATEGY_NAMES)) ?? null;
  if (parts.includes('compare') && only?.length !== 2) {
    throw new UsageError('--parts compare: --only has to name the two that are compared');
  }
  const isQuick = flags.quick === true || isYes(env['QUICK']);
  const usual = isQuick ? QUICK : USUAL;
  return {
    help: flags.help === true,
    isQuick,
    parts,
    only,
    connections:
      list('connections', (item) => wholeNumber('connections', item, CONNECTION_RANGE)) ?? CONNECTIONS,
    pace: {
      ...usual,
      repeats: number('repeats') ?? usual.repeats,
      windowMs: number('window-ms') ?? usual.windowMs,
    },
    exactness: number('exactness') ?? (isQuick ? 1 : EXACTNESS),
    comparedSlices: number('repeats') ?? (isQuick ? 1 : COMPARED_SLICES),
    json: jsonTarget(text('json')),
  };
}

/** Of everything, for as long as usual or longer: a run that may be compared with others like it. */
export function isFullRun({ isQuick, only, parts, connections, pace }: Options): boolean {
  const hasAll = only === null && USUAL_PARTS.every((part) => parts.includes(part));
  const isLong = pace.repeats >= USUAL.repeats && pace.windowMs >= USUAL.windowMs;
  return !isQuick && hasAll && isLong && CONNECTIONS.every((crowd) => connections.includes(crowd));
}

function parse(argv: readonly string[]) {
  // `--json` may stand alone, which parseArgs has no word for.
  const args = argv.map((arg) => (arg === '--json' ? '--json=-' : arg));
  try {
    return parseArgs({ args, options: FLAGS }).values;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/\. |\n/);
    const names = Object.keys(FLAGS).map((name) => `--${name}`);
    throw new UsageError(`${reason}: the options are ${names.join(' ')}`, { cause: error });
  }
}

function oneOf<T extends string>(option: string, item: string, known: readonly T[]): T {
  const found = known.find((name) => name === item);
  if (found !== undefined) return found;
  throw new UsageError(`--${option} ${item}: one or several of ${known.join(', ')}`);
}

function isYes(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}
