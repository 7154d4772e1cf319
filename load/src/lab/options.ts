import { MAX_CAPACITY, STRATEGY_NAMES, type StrategyName } from '@lastseat/booking/contract';
import {
  helpText,
  json,
  name,
  names,
  number,
  numbers,
  readTable,
  text,
  UsageError,
  variablesOf,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import type { LabSettings } from '../runs/run.ts';
import { RUNTIME } from '../runtime-option.ts';
import { WORKLOAD_NAMES, workloadOf, WORKLOADS } from '../workloads/workloads.ts';
import { FAULT_NAMES, FAULTS, NO_FAULT, windowFor } from './faults.ts';

export interface Options {
  help: boolean;
  name: string;
  settings: LabSettings;
  runtime: 'native' | 'docker' | undefined;
  json: JsonTarget;
}

// The first one locks, the second one does not, and the third one is what neither of them is: fast.
const STRATEGIES: StrategyName[] = ['fenced-lock', 'atomic-update', 'batched-update'];
const REPLICAS = [1, 2, 4];
const CONNECTIONS = [64];
// The fewest slices that have an interval of 95 %; with these defaults all of it takes less than five minutes.
const SLICES = 6;
const WARM_UP_MS = 400;
const WINDOW_MS = 1_000;
// Each replica holds connections to Postgres, which has room for so many (infra/postgres/postgresql.conf).
const MAX_REPLICAS = 32;

export const TABLE = {
  workload: name(WORKLOAD_NAMES, { what: 'what is done (default: rush)' }),
  strategy: names(['all', ...STRATEGY_NAMES], {
    what: `how it is guarded, by comma (default: ${STRATEGIES.join(',')})`,
  }),
  replicas: numbers({ min: 1, max: MAX_REPLICAS, what: `by comma (default: ${REPLICAS.join(',')})` }),
  connections: numbers({
    min: 1,
    max: 4_096,
    what: `clients at a time, by comma (default: ${CONNECTIONS.join(',')})`,
  }),
  tickets: number({ min: 1, max: MAX_CAPACITY, what: 'of each event (default: as the workload has it)' }),
  buyers: number({
    min: 1,
    max: 1_000_000,
    what: 'requests of a slice (default: as the workload has it, or as many as its window has room for)',
  }),
  rate: number({
    min: 1,
    max: 100_000,
    what: 'an open loop: so many requests a second, answered or not (default: a closed loop)',
  }),
  arrivals: name(['poisson', 'constant'], { what: 'of an open loop (default: poisson)' }),
  repeats: number({ min: 1, max: 1_000, what: `slices of each cell (default: ${SLICES})` }),
  'window-ms': number({
    min: 200,
    max: 600_000,
    what: `how long a slice lasts, after a warm-up (default: ${WINDOW_MS}, or as long as its requests take)`,
  }),
  fault: names(FAULT_NAMES, {
    what: `what strikes once in the middle of each slice, and is healed, by comma (default: ${NO_FAULT}; the names are those of drills)`,
  }),
  runtime: RUNTIME,
  name: text('WORD', { what: 'what the run is called (default: lab)', variable: 'RUN_NAME' }),
  json: json('run.json'),
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const strategies = given.strategy ?? STRATEGIES;
  const workload = given.workload ?? 'rush';
  const faults = given.fault ?? [NO_FAULT];
  refuseMisfits(workload, faults, given);
  if (given.arrivals !== undefined && given.rate === undefined) {
    throw new UsageError(
      '--arrivals goes with --rate: in a closed loop each client sends when it has its answer',
    );
  }
  if (given.name !== undefined && !/^[\w.-]{1,60}$/.test(given.name)) {
    throw new UsageError(`RUN_NAME=${given.name}: letters, digits, dots and hyphens: it becomes a folder`);
  }
  return {
    help: given.help,
    name: given.name ?? 'lab',
    settings: {
      workload,
      replicas: given.replicas ?? REPLICAS,
      strategies: strategies.includes('all')
        ? [...STRATEGY_NAMES]
        : strategies.filter((name) => name !== 'all'),
      connections: given.connections ?? CONNECTIONS,
      tickets: given.tickets ?? null,
      buyers: given.buyers ?? null,
      slices: given.repeats ?? SLICES,
      warmUpMs: WARM_UP_MS,
      windowMs: given['window-ms'] ?? (windowFor(faults) || WINDOW_MS),
      isTimed:
        given.buyers === undefined &&
        (given['window-ms'] !== undefined || windowFor(faults) > 0 || !isCounted(workload)),
      ...(given.fault && { faults }),
      ...(given.rate !== undefined && {
        arrivals: { perS: given.rate, pattern: given.arrivals ?? 'poisson' },
      }),
    },
    runtime: given.runtime,
    json: given.json,
  };
}

function refuseMisfits(
  workload: string,
  faults: readonly string[],
  given: { buyers?: number | undefined; 'window-ms'?: number | undefined },
): void {
  const leastMs = windowFor(faults);
  if (leastMs === 0) return;
  if (given.buyers !== undefined) {
    throw new UsageError('--buyers goes without FAULT: a fault strikes in the middle of a window, WINDOW_MS');
  }
  if ((given['window-ms'] ?? leastMs) < leastMs) {
    throw new UsageError(`--window-ms ${given['window-ms']}: at least ${leastMs}, or the fault is all of it`);
  }
  if (workload === 'holds') {
    throw new UsageError(
      'WORKLOAD=holds goes without FAULT: of a hold whose answer is lost nobody knows when it ends',
    );
  }
}

/** It is a number of requests, however long they take. */
function isCounted(workload: string): boolean {
  return workloadOf(workload).requests({ tickets: null, buyers: null, connections: 1 }) !== null;
}

/** What repeats a run, whatever the defaults are by then. */
export function commandOf({ settings, runtime, name }: Options): string {
  const { workload, strategies, replicas, connections, tickets, buyers, slices, arrivals } = settings;
  const said: Record<string, string | number | null | undefined> = {
    WORKLOAD: workload,
    STRATEGY: strategies.join(','),
    REPLICAS: replicas.join(','),
    CONNECTIONS: connections.join(','),
    TICKETS: tickets,
    BUYERS: buyers,
    RATE: arrivals?.perS,
    ARRIVALS: arrivals?.pattern,
    FAULT: settings.faults?.join(','),
    REPEATS: slices,
    WINDOW_MS: settings.isTimed ? settings.windowMs : null,
    RUNTIME: runtime,
    RUN_NAME: name === 'lab' ? null : name,
  };
  const words = Object.entries(said).flatMap(([variable, value]) =>
    value == null ? [] : `${variable}=${value}`,
  );
  return ['make lab', ...words].join(' ');
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);

export const HELP = helpText({
  summary:
    'Asks a question of the service: one workload against several guards, with more and fewer replicas and clients, on a ' +
    'stack that it starts for itself. What it finds is kept under .lastseat/runs.',
  examples: [
    ['make lab', 'three guards, 1, 2 and 4 replicas; less than five minutes'],
    ['make lab STRATEGY=row-lock,optimistic CONNECTIONS=8,64,512', 'what contention does to two of them'],
    ['make lab WORKLOAD=storm REPLICAS=3', 'book, cancel and read: does one order explain all answers?'],
    [
      'make lab FAULT=none,pause-holder STRATEGY=simple-lock,fenced-lock REPLICAS=3',
      'who oversells when a holder is paused',
    ],
    ['make lab RATE=500', 'how long buyers wait who come by themselves, 500 a second'],
    ['make runs', 'list what was found'],
    ['make compare A=latest B=2026-11-28T22-40-12Z-lab', 'two runs, cell by cell'],
  ],
  program: 'load/src/lab/main.ts',
  table: TABLE,
  notes: `Workloads:
${WORKLOADS.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Faults:
${FAULTS.map(({ name, what }) => `  ${name}: ${what}`).join('\n')}

Ctrl-C keeps what is done. Exit code: 0 every cell can be believed, or shows what it was there to show; 1 one failed its checks; 2 a wrong option; 3 nothing failed, and one cell shows nothing; 130 interrupted.`,
});
