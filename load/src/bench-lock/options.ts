import { parseArgs } from 'node:util';

import { UsageError } from '../usage-error.ts';
import type { Contender } from './contender.ts';
import { contenders } from './contenders.ts';
import { crowd, workloads, type Workload } from './workloads.ts';

export interface Options {
  help: boolean;
  quick: boolean;
  repeats: number;
  contenders: Contender[];
  workloads: Workload[];
  /** Whether to measure what waiters cost. */
  withCrowd: boolean;
  retryDelayMs: number | undefined;
  /** A file, or `-` for the standard output; null for tables only. */
  json: string | null;
}

const flags = {
  help: { type: 'boolean', short: 'h' },
  quick: { type: 'boolean' },
  repeats: { type: 'string' },
  only: { type: 'string', multiple: true },
  workload: { type: 'string', multiple: true },
  'retry-delay-ms': { type: 'string' },
  json: { type: 'string' },
} as const;

export const contenderKeys = contenders.map(({ key }) => key);
export const workloadKeys = [...workloads.map(({ key }) => key), crowd.key];

// The fewest slices whose interval of 95 % leaves one out at each end.
const usualRepeats = 9;
// More repeats than this take hours.
const maxRepeats = 100;
const maxRetryDelayMs = 10_000;

/** Flags, or variables of the same names in capitals (which is what `make bench-lock QUICK=1` sets). */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = parse(argv);
  const text = (name: 'repeats' | 'retry-delay-ms' | 'json'): string | undefined =>
    (given[name] ?? env[variable(name)]) || undefined;
  const list = (name: 'only' | 'workload', known: readonly string[]): Set<string> => {
    const asked = (given[name] ?? [env[variable(name)] ?? '']).flatMap((value) => value.split(','));
    const names = asked.map((value) => value.trim()).filter((value) => value !== '');
    const strange = names.find((value) => !known.includes(value));
    if (strange !== undefined)
      throw new UsageError(`--${name} ${strange}: one or several of ${known.join(', ')}`);
    return new Set(names.length === 0 ? known : names);
  };
  const only = list('only', contenderKeys);
  const workload = list('workload', workloadKeys);
  const quick = given.quick ?? isOn(env['QUICK']);
  return {
    help: given.help ?? false,
    quick,
    repeats: wholeNumber('repeats', text('repeats'), 1, maxRepeats) ?? (quick ? 1 : usualRepeats),
    contenders: contenders.filter(({ key }) => only.has(key)),
    workloads: workloads.filter(({ key }) => workload.has(key)),
    withCrowd: workload.has(crowd.key),
    retryDelayMs: wholeNumber('retry-delay-ms', text('retry-delay-ms'), 1, maxRetryDelayMs),
    json: jsonTarget(text('json')),
  };
}

/** Of everything, as it is usually set up: a run that may be compared with others like it. */
export function isFullRun(options: Options): boolean {
  const hasAll =
    options.contenders.length === contenders.length && options.workloads.length === workloads.length;
  const isUsual = !options.quick && options.repeats >= usualRepeats && options.retryDelayMs === undefined;
  return hasAll && options.withCrowd && isUsual;
}

function parse(argv: readonly string[]) {
  // `--json` may stand alone, which parseArgs has no word for.
  const args = argv.map((arg) => (arg === '--json' ? '--json=-' : arg));
  try {
    return parseArgs({ args, options: flags }).values;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/\. |\n/);
    const known = Object.keys(flags).map((name) => `--${name}`);
    throw new UsageError(`${reason}: the options are ${known.join(' ')}`, { cause: error });
  }
}

function variable(flag: string): string {
  return flag.toUpperCase().replaceAll('-', '_');
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}

function wholeNumber(name: string, value: string | undefined, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} ${value}: a whole number from ${min} to ${max}`);
}

function jsonTarget(value: string | undefined): string | null {
  if (!isOn(value)) return null;
  return value === '1' || value === 'true' ? '-' : (value ?? null);
}
