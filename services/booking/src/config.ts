import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

import { z } from 'zod';

import { MAX_RACE_WINDOW_MS } from '#src/contract.ts';
import { parseOperators } from '#src/operators.ts';
import { DEFAULT_DRAIN_DELAY_MS, DEFAULT_LOCK_WAIT_MS, MAX_LOCK_WAIT_MS } from '#src/time-limits.ts';

/**
 * The environment as a frozen, typed object. Reading it is all or nothing, and every problem is reported at once:
 * the variable, the value it has and how to mend it, so that a wrong deployment is mended in one go.
 */
export type Config = ReturnType<typeof readConfig>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The environment is not usable:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
    this.problems = problems;
  }
}

const SAMPLERS = 'always_on, always_off or traceidratio, or one of them after parentbased_';

const variables = {
  /** Loopback unless told otherwise: nginx is the door, the replicas are not. */
  HOST: z.string().default('127.0.0.1'),
  /** 0 takes a free port; the log names it. */
  PORT: wholeNumber(0, 65_535).default(3000),
  DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/database'),
  /** The Redis that keeps the locks; or, in its place, the sentinels that know which server is the primary. */
  REDIS_URL: url(/^rediss?$/, 'redis://host:6379').optional(),
  REDIS_SENTINELS: z
    .string()
    .transform((list) => list.split(',').map((item) => item.trim()))
    .pipe(z.array(hostAndPort('sentinel-1:26379,sentinel-2:26379,sentinel-3:26379')))
    .optional(),
  /** What the sentinels call the primary. */
  REDIS_PRIMARY_NAME: z
    .string()
    .regex(/^[\w.-]+$/, 'use letters, digits, "_", "." and "-", as in: sentinel monitor NAME')
    .default('lastseat'),
  /** Independent Redis servers for the quorum lock; without them that strategy answers 503. */
  QUORUM_REDIS_URLS: z
    .string()
    .transform((list) => list.split(',').map((item) => item.trim()))
    .pipe(z.array(url(/^rediss?$/, 'redis://a:6379,redis://b:6379,redis://c:6379')))
    .refine((urls) => urls.length >= 3 && urls.length % 2 === 1, 'name an odd number of servers, at least 3')
    .refine(
      (urls) => new Set(urls).size === urls.length,
      'name each server once: two votes of one server are one',
    )
    .default([]),
  /**
   * Names this process in answers, logs and booking rows. It is sent as a header, and it is the `application_name` of
   * its connections, which Postgres cuts after 63 bytes.
   */
  INSTANCE_ID: z
    .string()
    .regex(/^[\w.:-]{1,63}$/, 'use 1 to 63 letters, digits, "_", ".", ":" or "-"')
    .default(
      () =>
        `${hostname()
          .replaceAll(/[^\w.-]/g, '-')
          .slice(0, 48)}-${process.pid}`,
    ),
  /** Opens unsafe strategies, reset, the choice of a strategy and the race window. */
  LAB_MODE: z.enum(['on', 'off'], 'write on or off').default('off'),
  /** What the secrets of bookings are made with: the same for all replicas, and kept, or no secret is good any more. */
  BOOKING_KEY: z
    .string()
    .min(32, 'use at least 32 characters, such as those of: openssl rand -hex 32')
    .optional(),
  /** Who may do what outside lab mode (operators.ts): the lines themselves, with ";" for the ends of lines, or a file. */
  OPERATORS: z.string().optional(),
  OPERATORS_FILE: z.string().optional(),
  /** Lab mode only: how long every booking waits between its read and its write. */
  RACE_WINDOW_MS: wholeNumber(0, MAX_RACE_WINDOW_MS).default(0),
  /** Lab mode only: files of strategies beside the service's own, by comma (booking/lab-strategies.ts). */
  LAB_STRATEGIES: z
    .string()
    .transform((list) => list.split(',').map((path) => path.trim()))
    .pipe(z.array(z.string().startsWith('/', 'write absolute paths, by comma')))
    .default([]),
  /** How long a lease outlives the last sign of life of its holder: the others wait that long for a dead one. */
  LOCK_TTL_MS: wholeNumber(100, 60_000).default(3_000),
  /**
   * Longest wait for a lock before the answer is "busy"; what is left of the request's time has to be enough to book.
   * One that is shorter than a few commits would refuse whoever meets another buyer, and 0 would refuse everybody.
   */
  LOCK_WAIT_MS: wholeNumber(100, MAX_LOCK_WAIT_MS).default(DEFAULT_LOCK_WAIT_MS),
  /**
   * Connections to Postgres that sell; a few more are for reads and probes (storage/pools.ts). One hot row gains nothing
   * beyond these, and all replicas share Postgres's max_connections.
   */
  PG_POOL_MAX: wholeNumber(1, 200).default(6),
  /** How long an `Idempotency-Key` stands for the booking that was made with it; a day. */
  IDEMPOTENCY_KEY_TTL_S: wholeNumber(1, 31_536_000).default(86_400),
  /** After SIGTERM: how long idle connections are left to the proxy to close. Above its idle time-out (nginx: 2 s). */
  DRAIN_DELAY_MS: wholeNumber(0, 60_000).default(DEFAULT_DRAIN_DELAY_MS),
  /** Where Prometheus finds the metrics; 0 takes a free port, which the log names. Unset: none are kept. */
  METRICS_PORT: wholeNumber(0, 65_535).optional(),
  /** They are for the operator alone: loopback, unless the network is closed. */
  METRICS_HOST: z.string().default('127.0.0.1'),
  /** How often one of the replicas that keep metrics audits all bookings; less often where that takes long. 0: never. */
  AUDIT_INTERVAL_S: wholeNumber(0, 86_400).default(60),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'write a level such as info or debug',
    )
    .default('info'),
  /** Where traces are sent, and which; the tracing reads them itself (tracing/). A sampler that it does not know would keep all. */
  OTEL_EXPORTER_OTLP_ENDPOINT: url(/^https?$/, 'http://collector:4318').optional(),
  OTEL_TRACES_SAMPLER: z
    .string()
    .regex(/^(parentbased_)?(always_on|always_off|traceidratio)$/, `write ${SAMPLERS}`)
    .optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .refine((text) => Number(text) >= 0 && Number(text) <= 1, 'write a part from 0 to 1, such as 0.1')
    .optional(),
};

/** The names of all of them: what a way of running may set. */
export const SETTINGS: readonly string[] = Object.keys(variables);

/** Their values never reach a log or a terminal. */
const secrets: ReadonlySet<string> = new Set([
  'DATABASE_URL',
  'REDIS_URL',
  'QUORUM_REDIS_URLS',
  'BOOKING_KEY',
  'OPERATORS',
]);

/** @throws ConfigError that names every problem */
export function readConfig(env: NodeJS.ProcessEnv) {
  // Compose passes what is not set as an empty string.
  const given = Object.fromEntries(
    Object.keys(variables).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  const parsed = z.object(variables).safeParse(given);

  const problems = (parsed.error?.issues ?? []).map(({ path: [name = ''], message }) =>
    describe(String(name), given[String(name)], message),
  );
  if (Number(given['RACE_WINDOW_MS'] ?? 0) > 0 && given['LAB_MODE'] !== 'on') {
    problems.push(describe('RACE_WINDOW_MS', given['RACE_WINDOW_MS'], 'remove it, or set LAB_MODE=on'));
  }
  if (given['REDIS_URL'] === undefined && given['REDIS_SENTINELS'] === undefined) {
    problems.push(describe('REDIS_URL', undefined, 'write a URL such as redis://host:6379'));
  }
  if (given['REDIS_URL'] !== undefined && given['REDIS_SENTINELS'] !== undefined) {
    problems.push(describe('REDIS_SENTINELS', given['REDIS_SENTINELS'], 'set it or REDIS_URL, and not both'));
  }
  const isLab = given['LAB_MODE'] === 'on';
  if (!isLab && given['LAB_STRATEGIES'] !== undefined) {
    problems.push(describe('LAB_STRATEGIES', given['LAB_STRATEGIES'], 'remove it, or set LAB_MODE=on'));
  }
  if (!isLab && given['BOOKING_KEY'] === undefined) {
    problems.push(
      'BOOKING_KEY is not set: set it to the same for all replicas, such as: openssl rand -hex 32',
    );
  }
  const read = readOperators(given);
  if ('problems' in read) problems.push(...read.problems);
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);

  const value = parsed.data;
  return Object.freeze({
    host: value.HOST,
    port: value.PORT,
    databaseUrl: value.DATABASE_URL,
    redis:
      value.REDIS_SENTINELS === undefined
        ? { url: value.REDIS_URL ?? '' }
        : { sentinels: value.REDIS_SENTINELS, name: value.REDIS_PRIMARY_NAME },
    quorumRedisUrls: value.QUORUM_REDIS_URLS,
    instanceId: value.INSTANCE_ID,
    labMode: value.LAB_MODE === 'on',
    bookingKey: value.BOOKING_KEY ?? LAB_KEY,
    operators: 'operators' in read ? read.operators : [],
    raceWindowMs: value.RACE_WINDOW_MS,
    labStrategyFiles: value.LAB_STRATEGIES,
    lockTtlMs: value.LOCK_TTL_MS,
    lockWaitMs: value.LOCK_WAIT_MS,
    pgPoolMax: value.PG_POOL_MAX,
    keyTtlMs: value.IDEMPOTENCY_KEY_TTL_S * 1_000,
    drainDelayMs: value.DRAIN_DELAY_MS,
    logLevel: value.LOG_LEVEL,
    metrics: value.METRICS_PORT === undefined ? null : { host: value.METRICS_HOST, port: value.METRICS_PORT },
    auditIntervalMs: value.AUDIT_INTERVAL_S * 1_000,
  });
}

/** Everybody knows it; in lab mode everybody may see and cancel every booking anyway. */
const LAB_KEY = 'the key of a lab protects nothing';

function readOperators({ OPERATORS: lines, OPERATORS_FILE: path }: Record<string, string | undefined>) {
  if (lines !== undefined && path !== undefined) {
    return { problems: ['OPERATORS_FILE: name the operators there or in OPERATORS, not in both'] };
  }
  const from = path === undefined ? 'OPERATORS' : `OPERATORS_FILE=${JSON.stringify(path)}`;
  try {
    const read = parseOperators(path === undefined ? (lines ?? '') : readFileSync(path, 'utf8'));
    return 'operators' in read ? read : { problems: read.problems.map((problem) => `${from}: ${problem}`) };
  } catch (error) {
    return { problems: [`${from}: it cannot be read (${(error as NodeJS.ErrnoException).code})`] };
  }
}

function describe(name: string, value: string | undefined, mend: string): string {
  if (value === undefined) return `${name} is not set: ${mend}`;
  return `${name}=${secrets.has(name) ? '(not shown)' : JSON.stringify(value)}: ${mend}`;
}

function wholeNumber(min: number, max: number) {
  const mend = `write a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d+$/, mend).transform(Number).pipe(z.number().min(min, mend).max(max, mend));
}

function hostAndPort(example: string) {
  const mend = `write host:port for each of them, such as ${example}`;
  return z
    .string()
    .regex(/^[\w.-]+:\d{1,5}$/, mend)
    .transform((text) => {
      const [host = '', port] = text.split(':');
      return { host, port: Number(port) };
    });
}

function url(protocol: RegExp, example: string) {
  return z.url({ protocol, error: `write a URL such as ${example}` });
}
