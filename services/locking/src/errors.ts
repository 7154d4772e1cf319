import { ServiceClosedError } from './client/errors.ts';

/**
 * What can go wrong with a lock, one class each. An aborted wait is none of these: it rejects with the reason of
 * the caller's own `AbortSignal`, as the platform does everywhere.
 */

/** For programs to compare: it stays the same when a message changes, and across copies of this package. */
export type LockErrorCode = 'LOCK_TIMEOUT' | 'LOCK_UNAVAILABLE' | 'LOCK_LOST';

export interface LockErrorDetails {
  lock: string;
  holder?: string | undefined;
  cause?: unknown;
}

/** The base of all lock errors: `error instanceof LockError` asks "was it the lock?". */
export abstract class LockError extends Error {
  override readonly name: string = 'LockError';
  abstract readonly code: LockErrorCode;
  /** The lock name. (Not `name`: that is the name of the error's class.) */
  readonly lock: string;
  /** Who held the lock when this process last looked, where the algorithm knows it. */
  readonly holder: string | undefined;

  constructor(message: string, { lock, holder, cause }: LockErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.lock = lock;
    this.holder = holder;
  }
}

/** The lock was not obtained in time: others held it. Nothing was left behind; trying again later is safe. */
export class LockTimeoutError extends LockError {
  override readonly name = 'LockTimeoutError';
  readonly code = 'LOCK_TIMEOUT';
  /** How long was waited at most, in milliseconds. */
  readonly waitMs: number;
  /**
   * The holder is a lease of this same lock service. No lock is re-entrant: if it is the caller itself that holds the
   * lease, it has waited for itself.
   */
  readonly heldHere: boolean;

  constructor({
    waitMs,
    heldHere = false,
    ...details
  }: LockErrorDetails & { waitMs: number; heldHere?: boolean | undefined }) {
    const by = details.holder === undefined ? '' : ` (held by ${details.holder})`;
    const advice = heldHere
      ? 'This process holds it: a caller that asks again for what it holds waits for itself, and should pass its lease on instead.'
      : 'Try again later, or raise waitMs.';
    super(`Lock "${details.lock}" was not free within ${waitMs} ms${by}. ${advice}`, details);
    this.waitMs = waitMs;
    this.heldHere = heldHere;
  }
}

/**
 * Redis did not answer in time, or answered with a fault of its own; or the lock service was closed. Whether the lock was
 * taken is then *unknown*: what may have been taken is given back where Redis can be reached, and otherwise ends with its
 * TTL.
 */
export class LockUnavailableError extends LockError {
  override readonly name = 'LockUnavailableError';
  readonly code = 'LOCK_UNAVAILABLE';

  constructor(details: LockErrorDetails) {
    const { lock, cause } = details;
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    super(
      cause instanceof ServiceClosedError
        ? `The lock service that was asked about lock "${lock}" was closed. Use another one; what was asked and not answered may still have happened, and ends with its TTL.`
        : `Redis gave no usable answer about lock "${lock}"${reason}. Check that it is reachable; what was asked may still have happened, and ends with its TTL.`,
      details,
    );
  }
}

/**
 * How a lease was lost: `deadline` its time ran out with no sign of life from Redis; `max-hold` its holder had it for
 * `maxHoldMs`; `gone` Redis no longer knows it (expired, deleted, or the data lost); `taken` somebody else holds the
 * lock; `closed` its lock service was closed; `released` its holder gave it back.
 */
export type LossReason = 'deadline' | 'max-hold' | 'gone' | 'taken' | 'closed' | 'released';

const told: Record<LossReason, string> = {
  deadline: 'its deadline passed',
  'max-hold': 'it was held for longer than maxHoldMs',
  gone: 'Redis no longer knows it',
  taken: 'another holder has taken it',
  closed: 'its lock service was closed',
  released: 'its holder has given it back',
};

/** The lease is no longer held. Whatever its holder did since must not be committed, or be fenced by its token. */
export class LockLostError extends LockError {
  override readonly name = 'LockLostError';
  readonly code = 'LOCK_LOST';
  /** The fencing token of the lost lease. */
  readonly token: number;
  readonly why: LossReason;

  constructor({ token, why, ...details }: LockErrorDetails & { token: number; why: LossReason }) {
    super(
      `Lock "${details.lock}" (token ${token}) is no longer held: ${told[why]}. Stop, roll back, and acquire it again.`,
      details,
    );
    this.token = token;
    this.why = why;
  }
}
