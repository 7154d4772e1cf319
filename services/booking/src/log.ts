import { pino, type DestinationStream, type Logger } from 'pino';

import type { Config } from '#src/config.ts';

/**
 * The log of a replica: a line of JSON for each thing worth telling. Whoever reads it is not whoever may know the buyers,
 * so neither their names nor any secret gets into it; what is told of a request is its id.
 */
export function createLog(
  { logLevel, instanceId }: Pick<Config, 'logLevel' | 'instanceId'>,
  destination?: DestinationStream,
): Logger {
  const options = {
    level: logLevel,
    base: { instanceId },
    serializers: { err: errorToTell },
    // Nobody logs them; this is for whoever does so by mistake.
    redact: { paths: NEVER_TOLD.flatMap((name) => [name, `*.${name}`]), censor: NOT_SHOWN },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const NOT_SHOWN = '(not shown)';

const NEVER_TOLD = [
  'customer',
  'token',
  'secret',
  'password',
  'authorization',
  'bookingKey',
  'idempotencyKey',
  'databaseUrl',
  'redisUrl',
];

/**
 * What an error of pg or ioredis has beside its message is left out, because rows and arguments are among it: `detail` is
 * "Failing row contains (..., ada, ...)", and `command` has what was sent. These say what happened, and to what.
 */
const TOLD = [
  'code',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
  'syscall',
  'address',
  'port',
  'lock',
  'waitMs',
  'why',
];

/** Causes of causes; beyond it is a circle. */
const MAX_DEPTH = 8;

function errorToTell(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? withoutPasswords(error) : typeof error;
  const fields = error as Error & Record<string, unknown>;
  const told = TOLD.flatMap((name) => (isPlain(fields[name]) ? [[name, fields[name]]] : []));
  const isDeep = depth >= MAX_DEPTH;
  return {
    type: error.name,
    message: withoutPasswords(error.message),
    ...Object.fromEntries(told),
    stack: withoutPasswords(error.stack ?? ''),
    ...(error.cause === undefined || isDeep ? {} : { cause: errorToTell(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && !isDeep
      ? { errors: error.errors.map((each) => errorToTell(each, depth + 1)) }
      : {}),
  };
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

/** Of the URLs that clients put into their messages. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/:\/\/[^\s/@]*@/g, `://${NOT_SHOWN}@`);
}
