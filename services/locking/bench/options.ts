import {
  json,
  names,
  number,
  readTable,
  variablesOf,
  yes,
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

export const contenderKeys = contenders.map(({ key }) => key);
export const workloadKeys = [...workloads.map(({ key }) => key), crowd.key];

// The fewest slices whose interval of 95 % leaves one out at each end.
const usualRepeats = 9;

export const table = {
  quick: yes({ what: 'once, with windows less than half as long; for a first look' }),
  repeats: number({
    min: 1,
    max: 100,
    what: 'slices of each figure, of which three measure everything (default: 9, with --quick 1)',
  }),
  only: names(contenderKeys, { what: 'these locks' }),
  workload: names(workloadKeys, { what: 'these workloads' }),
  'retry-delay-ms': number({
    min: 1,
    max: 10_000,
    what: 'time between two tries, for all that wait by trying (default: what each library has chosen)',
  }),
  json: json('every measurement'),
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(table, argv, env);
  const only = given.only ?? contenderKeys;
  const workload = given.workload ?? workloadKeys;
  return {
    help: given.help,
    quick: given.quick,
    repeats: given.repeats ?? (given.quick ? 1 : usualRepeats),
    contenders: contenders.filter(({ key }) => only.includes(key)),
    workloads: workloads.filter(({ key }) => workload.includes(key)),
    withCrowd: workload.includes(crowd.key),
    retryDelayMs: given['retry-delay-ms'],
    json: given.json,
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
export const variables = (): string[] => variablesOf(table);
