import { STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  isYes,
  jsonTarget,
  nearest,
  parseFlags,
  refuseUnknownVariables,
  UsageError,
  variableOf,
  wholeNumber,
  withBareJson,
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
  refuseUnknownVariables(env);
  const flags = parseFlags({ args: withBareJson(argv), options: FLAGS }).values;
  type Name = Exclude<keyof typeof FLAGS, 'help' | 'quick'>;
  const text = (name: Name): string | undefined => flags[name] ?? (env[variableOf(name)] || undefined);
  const said = (name: Name, value: string): string =>
    flags[name] === undefined ? `${variableOf(name)}=${value}` : `--${name} ${value}`;
  const number = (name: keyof typeof NUMBER_OPTIONS): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : wholeNumber(said(name, value), value, NUMBER_OPTIONS[name]);
  };
  const list = <T>(
    name: 'only' | 'connections' | 'parts',
    read: (item: string, said: string) => T,
  ): T[] | undefined => {
    const items = text(name)
      ?.split(',')
      .map((item) => item.trim());
    return items && [...new Set(items.map((item) => read(item, said(name, item))))];
  };

  const parts = list('parts', (item, said) => oneOf(said, item, BENCH_PARTS)) ?? [...USUAL_PARTS];
  const only = list('only', (item, said) => oneOf(said, item, STRATEGY_NAMES)) ?? null;
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
      list('connections', (item, said) => wholeNumber(said, item, CONNECTION_RANGE)) ?? CONNECTIONS,
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

function oneOf<T extends string>(said: string, item: string, known: readonly T[]): T {
  const found = known.find((name) => name === item);
  if (found !== undefined) return found;
  const meant = nearest(item, known);
  const hint = meant === null ? `one or several of ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new UsageError(`${said}: ${hint}`);
}

/** Every variable that says something to this program. */
export function variables(): string[] {
  return [
    'RUNTIME',
    ...Object.keys(FLAGS)
      .filter((name) => name !== 'help')
      .map(variableOf),
  ];
}
