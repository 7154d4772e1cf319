import { name, number, readCommand, yes } from '../command-line/index.ts';
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

// Odd, so that there is a majority; more of them do not make a quorum safer in practice, only slower.
const QUORUMS = ['0', '3', '5', '7', '9'];

export const ON_OFF = ['on', 'off'] as const;

export const TABLE = {
  replicas: number({ min: 1, max: maxReplicas, what: 'replicas of the service (default: 3)' }),
  port: number({ min: 1, max: 65_535, what: 'where nginx answers, on 127.0.0.1 (default: 8080)' }),
  quorum: name(QUORUMS, { what: 'Redis servers for the quorum lock (default: 0)' }),
  ha: name(ON_OFF, { what: 'three each of Redis and Postgres, of which one may be lost (default: off)' }),
  watch: name(ON_OFF, {
    what: 'Prometheus, with rules and alerts; in Docker Grafana too (default: off)',
  }),
  runtime: name(['docker', 'native'], { what: 'on what (default: docker where an engine answers)' }),
  'no-follow': yes({ what: 'logs: what there is, and no more (FOLLOW=0)', variable: null }),
  volumes: yes({ what: 'down: delete the data too', variable: null }),
};

/** Flags win over the environment, which is where `make up REPLICAS=5` puts what it was given. */
export function readRequest(argv: readonly string[], env: NodeJS.ProcessEnv): Request {
  const given = readCommand(COMMANDS, TABLE, argv, env);
  return {
    command: given.command ?? 'up',
    help: given.help || given.command === null,
    replicas: given.replicas ?? null,
    port: given.port ?? null,
    quorum: given.quorum === undefined ? null : Number(given.quorum),
    ha: isOn(given.ha) ?? null,
    watch: isOn(given.watch) ?? null,
    runtime: given.runtime ?? null,
    follow: !given['no-follow'] && env['FOLLOW'] !== '0',
    volumes: given.volumes,
  };
}

export function isOn(value: (typeof ON_OFF)[number] | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 'on';
}
