/**
 * What went wrong with Postgres, by what the caller can do about it. A query that failed for another reason (a broken
 * constraint, a typing mistake) keeps pg's own error: it is a bug, not a state of the world.
 */

/** No connection, or it broke before anything could have been committed: nothing was written. */
export class PostgresUnavailableError extends Error {
  override readonly name = 'PostgresUnavailableError';
}

/** Postgres is well but had no time for us: pool, row lock or statement timed out, or a deadlock was broken. */
export class PostgresBusyError extends Error {
  override readonly name: string = 'PostgresBusyError';
}

/** The request's time was over before this could be sent. */
export class NotSentError extends PostgresBusyError {
  override readonly name = 'NotSentError';

  constructor(what: string) {
    super(`the request's time was over before ${what}`);
  }
}

/** The commit was sent and no answer came back: it may have happened. */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError';
}

/** A booking stands already under a key of this one, its id or its request's: nothing was written. */
export class KeyTakenError extends Error {
  override readonly name = 'KeyTakenError';
}

/** SQLSTATEs that a later try may well not see. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const busyStates: ReadonlySet<string> = new Set([
  '40P01', // deadlock_detected
  '55P03', // lock_not_available: lock_timeout
  '57014', // query_canceled: statement_timeout
]);

/** SQLSTATEs after which the connection is gone, or is one to a server that cannot book. */
const unavailableStates: readonly RegExp[] = [
  /^08/, // connection exception
  /^25006/, // read_only_sql_transaction: a failover has made a standby of it; a new connection finds the primary
  /^25P0[34]/, // idle_in_transaction_session_timeout: we were stopped in mid-transaction; transaction_timeout
  /^40003/, // statement_completion_unknown: a pooler in front has lost its server
  /^53/, // insufficient resources
  /^57P/, // the server is going down or coming up, or found us idle for too long
  /^58/, // system error, such as that of a disk
];

/**
 * Those among them that a server may send although it has committed: it was told to stop in between, or is not the
 * one that knows. All others come with an end of the transaction, and 25P03 only to those who have sent nothing.
 */
const undecidedStates = /^(08|25P04|40003|57P|58)/;

const UNIQUE_VIOLATION = '23505';

/** SERIALIZABLE found no order in which the transactions could have run one by one. */
export function isSerializationFailure(error: unknown): boolean {
  return sqlState(error) === '40001';
}

/** The server itself answered, and the connection is still in step with it and good for the next query. */
export function isConnectionKept(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !isUnavailable(state);
}

/** The server itself answered a commit, or a statement that commits by itself, and it did not commit; or it was never asked. */
export function isNotCommitted(error: unknown): boolean {
  if (error instanceof NotSentError) return true;
  const state = sqlState(error);
  return state !== undefined && !undecidedStates.test(state);
}

/** Turns what pg threw into one of the above; what is none of them stays as it is. */
export function classifyFailure(error: unknown): unknown {
  const state = sqlState(error);
  if (state === undefined || isUnavailable(state)) {
    return new PostgresUnavailableError(messageOf(error), { cause: error });
  }
  if (state === UNIQUE_VIOLATION) return new KeyTakenError(messageOf(error), { cause: error });
  if (busyStates.has(state)) return new PostgresBusyError(messageOf(error), { cause: error });
  return error;
}

function isUnavailable(state: string): boolean {
  return unavailableStates.some((pattern) => pattern.test(state));
}

/** pg's own errors carry a SQLSTATE: five characters, a digit among them. A broken socket carries a word such as EPIPE, or nothing. */
function sqlState(error: unknown): string | undefined {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)) return code;
  const isOurs =
    error instanceof PostgresBusyError ||
    error instanceof PostgresUnavailableError ||
    error instanceof KeyTakenError;
  return isOurs ? sqlState(cause) : undefined;
}

function messageOf(error: unknown): string {
  // A refused connection to a name with two addresses is an AggregateError without a message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
