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
  json: JsonTarget;
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
  refuseUnknownVariables(env);
  const given = parseFlags({ args: withBareJson(argv), options: flags }).values;
  const text = (name: 'repeats' | 'retry-delay-ms' | 'json'): string | undefined =>
    (given[name] ?? env[variableOf(name)]) || undefined;
  const said = (name: keyof typeof flags, value: string): string =>
    given[name] === undefined ? `${variableOf(name)}=${value}` : `--${name} ${value}`;
  const number = (name: 'repeats' | 'retry-delay-ms', max: number): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : wholeNumber(said(name, value), value, { min: 1, max });
  };
  const list = (name: 'only' | 'workload', known: readonly string[]): Set<string> => {
    const asked = given[name]?.join(',') ?? env[variableOf(name)] ?? '';
    if (asked === '') return new Set(known);
    const names = asked.split(',').map((value) => value.trim());
    const strange = names.find((value) => !known.includes(value));
    if (strange === undefined) return new Set(names);
    const meant = nearest(strange, known);
    const hint = meant === null ? `one or several of ${known.join(', ')}` : `did you mean ${meant}?`;
    throw new UsageError(`${said(name, strange)}: ${hint}`);
  };
  const only = list('only', contenderKeys);
  const workload = list('workload', workloadKeys);
  const quick = given.quick ?? isYes(env['QUICK']);
  return {
    help: given.help ?? false,
    quick,
    repeats: number('repeats', maxRepeats) ?? (quick ? 1 : usualRepeats),
    contenders: contenders.filter(({ key }) => only.has(key)),
    workloads: workloads.filter(({ key }) => workload.has(key)),
    withCrowd: workload.has(crowd.key),
    retryDelayMs: number('retry-delay-ms', maxRetryDelayMs),
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

/** Every variable that says something to this program. */
export function variables(): string[] {
  return Object.keys(flags)
    .filter((name) => name !== 'help')
    .map(variableOf);
}
