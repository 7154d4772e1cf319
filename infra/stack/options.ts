import { nearest, parseFlags, refuseUnknownVariables, UsageError } from '../command-line/index.ts';
import type { Runtime } from './runtime.ts';

export const COMMANDS = ['up', 'scale', 'ps', 'logs', 'down'] as const;

export type Command = (typeof COMMANDS)[number];

/** What was asked for. Null is "as it is": what runs keeps its size, its port and its quorum. */
export interface Request {
  command: Command;
  help: boolean;
  replicas: number | null;
  port: number | null;
  quorum: number | null;
  ha: boolean | null;
  watch: boolean | null;
  runtime: Runtime['name'] | null;
  follow: boolean;
  volumes: boolean;
}

// Each replica holds some connections to Postgres, which has room for that many (infra/postgres/postgresql.conf).
export const maxReplicas = 32;

// More servers do not make a quorum safer in practice, only slower.
const maxQuorum = 9;

/** Flags win over the environment, which is where `make up REPLICAS=5` puts what it was given. */
export function readRequest(argv: readonly string[], env: NodeJS.ProcessEnv): Request {
  refuseUnknownVariables(env);
  const { values, positionals } = parseFlags({ args: [...argv], allowPositionals: true, options: FLAGS });
  const [command, ...rest] = positionals;
  const help = values.help === true || command === undefined || command === 'help';
  if (!help && !isCommand(command)) {
    const meant = nearest(command, COMMANDS);
    throw new UsageError(
      `${command}: ${meant === null ? `must be one of ${COMMANDS.join(', ')}` : `did you mean ${meant}?`}`,
    );
  }
  if (rest.length > 0) throw new UsageError(`${rest.join(' ')}: one command at a time`);

  const given = (name: 'replicas' | 'port' | 'quorum' | 'ha' | 'watch' | 'runtime') =>
    values[name] ?? (env[name.toUpperCase()] || null);
  return {
    command: isCommand(command) ? command : 'up',
    help,
    replicas: readReplicas(given('replicas')),
    port: readPort(given('port')),
    quorum: readQuorum(given('quorum')),
    ha: readSwitch('HA', given('ha')),
    watch: readSwitch('WATCH', given('watch')),
    runtime: readRuntime(given('runtime')),
    follow: values['no-follow'] !== true && env['FOLLOW'] !== '0',
    volumes: values.volumes === true,
  };
}

const FLAGS = {
  replicas: { type: 'string' },
  port: { type: 'string' },
  quorum: { type: 'string' },
  ha: { type: 'string' },
  watch: { type: 'string' },
  runtime: { type: 'string' },
  'no-follow': { type: 'boolean' },
  volumes: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

function isCommand(word: string | undefined): word is Command {
  return COMMANDS.some((command) => command === word);
}

function readReplicas(text: string | null): number | null {
  if (text === null) return null;
  const replicas = wholeNumber(text);
  if (replicas >= 1 && replicas <= maxReplicas) return replicas;
  const hint = replicas === 0 ? '; to stop everything: make down' : '';
  throw new UsageError(`REPLICAS=${text}: must be between 1 and ${maxReplicas}${hint}`);
}

function readPort(text: string | null): number | null {
  if (text === null) return null;
  const port = wholeNumber(text);
  if (port >= 1 && port <= 65_535) return port;
  throw new UsageError(`PORT=${text}: must be between 1 and 65535`);
}

function readQuorum(text: string | null): number | null {
  if (text === null) return null;
  const quorum = wholeNumber(text);
  if (quorum === 0 || (quorum >= 3 && quorum <= maxQuorum && quorum % 2 === 1)) return quorum;
  throw new UsageError(
    `QUORUM=${text}: must be 0, or an odd number from 3 to ${maxQuorum}: a majority must exist`,
  );
}

function readSwitch(name: string, text: string | null): boolean | null {
  if (text === null) return null;
  if (text === 'on' || text === 'off') return text === 'on';
  throw new UsageError(`${name}=${text}: must be on or off`);
}

function readRuntime(text: string | null): Runtime['name'] | null {
  if (text === null || text === 'docker' || text === 'native') return text;
  throw new UsageError(
    `RUNTIME=${text}: must be docker or native; without it, Docker is used where it answers`,
  );
}

/** NaN unless it is written in digits: `0x10`, `1e3` and `3.0` are typing errors here. */
function wholeNumber(text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
}
