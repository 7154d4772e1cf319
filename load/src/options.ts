import { MAX_CAPACITY, MAX_QUANTITY, MAX_RACE_WINDOW_MS } from '@lastseat/booking/contract';
import {
  jsonTarget,
  nearest,
  parseFlags,
  refuseUnknownVariables,
  UsageError,
  variableOf,
  wholeNumber,
  withBareJson,
  type JsonTarget,
  type NumberRange,
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
  /** Use this event, and reset it before each run; null for an event of its own per run. */
  eventId: number | null;
  url: string | undefined;
  databaseUrl: string | undefined;
  replicas: number | undefined;
}

interface NumberOption extends NumberRange {
  what: string;
}

/** Each may be written `--name N`, or NAME=N in the environment (which is what `make load NAME=N` does). */
export const NUMBER_OPTIONS = {
  tickets: { min: 1, max: MAX_CAPACITY, what: 'tickets there are (default: runs with 1 and with 100)' },
  buyers: { min: 1, max: 100_000, what: 'buyers, each with one request (default: 100, or ten per ticket)' },
  connections: { min: 1, max: 5_000, what: 'buyers at a time, each on a connection (default: up to 100)' },
  quantity: { min: 1, max: MAX_QUANTITY, what: 'tickets that each buyer wants, all or none (default: 1)' },
  'race-window-ms': {
    min: 0,
    max: MAX_RACE_WINDOW_MS,
    what: 'pause between reading the stock and writing it (default: 50 ms, less for many tickets)',
  },
  repeat: { min: 1, max: 1_000, what: 'times to do it all (default: 1)' },
  timeout: { min: 1, max: 300, what: 'seconds until a request counts as unanswered (default: 10)' },
  event: {
    min: 1,
    max: 2_147_483_647,
    what: 'use this event and reset it (default: a new one for each run)',
  },
  'max-unknown': {
    min: 0,
    max: 100_000,
    what: 'requests that may end unknown, for when you cut something on purpose (default: 0)',
  },
  replicas: { min: 1, max: 1_000, what: 'replicas there are, with --url (default: not judged)' },
} satisfies Record<string, NumberOption>;

const TEXT_OPTIONS = {
  strategy: { type: 'string', multiple: true },
  json: { type: 'string' },
  url: { type: 'string' },
  'database-url': { type: 'string' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

// Not taken from names that may be meant for something else: DATABASE_URL of the reader's own project, or the
// REPLICAS of `make up load REPLICAS=5`.
const ENVIRONMENT_NAMES: Record<string, string> = {
  url: 'LOAD_URL',
  'database-url': 'LOAD_DATABASE_URL',
  replicas: 'LOAD_REPLICAS',
};

export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  refuseUnknownVariables(env);
  const flags = readFlags(argv);
  const text = (name: string): string | undefined => {
    const flag = flags[name];
    const value = typeof flag === 'string' ? flag : env[environmentName(name)];
    return value === '' ? undefined : value;
  };
  const said = (name: string, value: string): string =>
    flags[name] === undefined ? `${environmentName(name)}=${value}` : `--${name} ${value}`;
  const number = (name: keyof typeof NUMBER_OPTIONS): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : wholeNumber(said(name, value), value, NUMBER_OPTIONS[name]);
  };
  const strategies = Array.isArray(flags['strategy'])
    ? flags['strategy'].map(String)
    : [env['STRATEGY'] ?? ''];
  const names = strategies
    .flatMap((list) => list.split(','))
    .map((name) => name.trim())
    .filter(Boolean);
  const options: Options = {
    help: flags['help'] === true,
    dryRun: flags['dry-run'] === true,
    guards: names.includes('all')
      ? GUARD_NAMES.filter((name) => name !== 'with-lock')
      : unique(names.map((name) => guardName(said('strategy', name), name))),
    allGuards: names.includes('all'),
    tickets: number('tickets'),
    buyers: number('buyers'),
    connections: number('connections'),
    quantity: number('quantity'),
    raceWindowMs: number('race-window-ms'),
    repeat: number('repeat') ?? 1,
    timeoutMs: (number('timeout') ?? 10) * 1_000,
    maxUnknown: number('max-unknown') ?? 0,
    json: jsonTarget(text('json')),
    eventId: number('event') ?? null,
    url: text('url'),
    databaseUrl: text('database-url'),
    replicas: number('replicas'),
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

function readFlags(argv: readonly string[]): Record<string, unknown> {
  const numbers = Object.fromEntries(
    Object.keys(NUMBER_OPTIONS).map((name) => [name, { type: 'string' as const }]),
  );
  return parseFlags({ args: withBareJson(argv), options: { ...numbers, ...TEXT_OPTIONS } }).values;
}

function environmentName(option: string): string {
  return ENVIRONMENT_NAMES[option] ?? variableOf(option);
}

/** Every variable that says something to this program. */
export function variables(): string[] {
  const options = [...Object.keys(NUMBER_OPTIONS), ...Object.keys(TEXT_OPTIONS)];
  return options.filter((name) => name !== 'help' && name !== 'dry-run').map(environmentName);
}

function guardName(said: string, name: string): GuardName {
  const known = GUARD_NAMES.find((known) => known === name);
  if (known) return known;
  const meant = nearest(name, GUARD_NAMES);
  const hint = meant === null ? `one or several of all, ${GUARD_NAMES.join(', ')}` : `did you mean ${meant}?`;
  throw new UsageError(`${said}: ${hint}`);
}

function unique<T>(things: readonly T[]): T[] {
  return [...new Set(things)];
}
