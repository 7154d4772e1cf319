import { MAX_CAPACITY, MAX_QUANTITY, MAX_RACE_WINDOW_MS } from '@lastseat/booking/contract';
import {
  json,
  names,
  number,
  readTable,
  text,
  UsageError,
  variablesOf,
  yes,
  type JsonTarget,
} from '@lastseat/infra/command-line';

import { GUARD_NAMES, type GuardName } from './scenario.ts';

export interface Options {
  help: boolean;
  /** Only say what is wrong with the options. */
  dryRun: boolean;
  guards: GuardName[];
  /** Whether they were asked for as `all`: then those that the stack does not have are left out. */
  allGuards: boolean;
  tickets: number | undefined;
  buyers: number | undefined;
  connections: number | undefined;
  quantity: number | undefined;
  raceWindowMs: number | undefined;
  repeat: number;
  timeoutMs: number;
  maxUnknown: number;
  json: JsonTarget;
  /** Where the history goes; undefined for the file of the last load. */
  history: string | undefined;
  /** Use this event, and reset it before each run; null for an event of its own per run. */
  eventId: number | null;
  url: string | undefined;
  databaseUrl: string | undefined;
  replicas: number | undefined;
}

// Those with a variable of another name: DATABASE_URL may be of the reader's own project, and REPLICAS is for `up` in
// `make up load REPLICAS=5`.
export const TABLE = {
  tickets: number({
    min: 1,
    max: MAX_CAPACITY,
    what: 'tickets there are (default: runs with 1 and with 100)',
  }),
  buyers: number({
    min: 1,
    max: 100_000,
    what: 'buyers, each with one request (default: 100, or ten per ticket)',
  }),
  connections: number({
    min: 1,
    max: 5_000,
    what: 'buyers at a time, each on a connection (default: up to 100)',
  }),
  quantity: number({
    min: 1,
    max: MAX_QUANTITY,
    what: 'tickets that each buyer wants, all or none (default: 1)',
  }),
  'race-window-ms': number({
    min: 0,
    max: MAX_RACE_WINDOW_MS,
    what: 'pause between reading the stock and writing it (default: 50 ms, less for many tickets)',
  }),
  repeat: number({ min: 1, max: 1_000, what: 'times to do it all (default: 1)' }),
  timeout: number({ min: 1, max: 300, what: 'seconds until a request counts as unanswered (default: 10)' }),
  event: number({
    min: 1,
    max: 2_147_483_647,
    what: 'use this event and reset it (default: a new one for each run)',
  }),
  'max-unknown': number({
    min: 0,
    max: 100_000,
    what: 'requests that may end unknown, for when you cut something on purpose (default: 0)',
  }),
  replicas: number({
    min: 1,
    max: 1_000,
    what: 'replicas there are, with --url (default: not judged)',
    variable: 'LOAD_REPLICAS',
  }),
  strategy: names(['all', ...GUARD_NAMES], { what: 'one or several, by comma or repeated' }),
  json: json('a JSON report'),
  history: text('FILE', {
    what: 'every operation, one JSON object a line (default: .lastseat/load/history.jsonl, of the last load)',
  }),
  url: text('URL', {
    what: 'another stack on this machine (default: the one that is up)',
    variable: 'LOAD_URL',
  }),
  'database-url': text('URL', { what: 'its Postgres', variable: 'LOAD_DATABASE_URL' }),
  'dry-run': yes({ what: 'only say what is wrong with the options', variable: null }),
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const given = readTable(TABLE, argv, env);
  const guards = given.strategy ?? [];
  const allGuards = guards.includes('all');
  const options: Options = {
    help: given.help,
    dryRun: given['dry-run'],
    guards: allGuards
      ? GUARD_NAMES.filter((name) => name !== 'with-lock')
      : guards.filter((name) => name !== 'all'),
    allGuards,
    tickets: given.tickets,
    buyers: given.buyers,
    connections: given.connections,
    quantity: given.quantity,
    raceWindowMs: given['race-window-ms'],
    repeat: given.repeat ?? 1,
    timeoutMs: (given.timeout ?? 10) * 1_000,
    maxUnknown: given['max-unknown'] ?? 0,
    json: given.json,
    history: given.history,
    eventId: given.event ?? null,
    url: given.url,
    databaseUrl: given['database-url'],
    replicas: given.replicas,
  };
  refuseContradictions(options);
  return options;
}

function refuseContradictions({ url, databaseUrl, replicas }: Options): void {
  if ((url === undefined) !== (databaseUrl === undefined)) {
    throw new UsageError('--url and --database-url go together: the database must be the one behind the URL');
  }
  if (replicas !== undefined && url === undefined) {
    throw new UsageError(
      '--replicas goes with --url: a stack started by make up says itself how many it has',
    );
  }
}

/** Every variable that says something to this program. */
export const variables = (): string[] => variablesOf(TABLE);
