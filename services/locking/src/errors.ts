/**
 * What can go wrong with a lock, one class each. An aborted wait is none of these: it rejects with the reason of
 * the caller's own `AbortSignal`, as the platform does everywhere.
 */

interface LockErrorDetails {
  lock: string;
  holder?: string | undefined;
  cause?: unknown;
}

/** The base of all lock errors: `error instanceof LockError` asks "was it the lock?". */
export class LockError extends Error {
  override readonly name: string = 'LockError';
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
  /** How long was waited at most, in milliseconds. */
  readonly waitMs: number;

  constructor({ waitMs, ...details }: LockErrorDetails & { waitMs: number }) {
    const by = details.holder === undefined ? '' : ` (held by ${details.holder})`;
    super(
      `Lock "${details.lock}" was not free within ${waitMs} ms${by}. Try again later, or raise waitMs.`,
      details,
    );
    this.waitMs = waitMs;
  }
}

/**
 * Redis did not answer in time, or answered with a fault of its own. Whether the lock was taken is then *unknown*:
 * what may have been taken is given back where Redis can be reached, and otherwise ends with its TTL.
 */
export class LockUnavailableError extends LockError {
  override readonly name = 'LockUnavailableError';

  constructor(details: LockErrorDetails) {
    const why = details.cause instanceof Error ? `: ${details.cause.message}` : '';
    super(
      `Redis gave no usable answer about lock "${details.lock}"${why}. Check that it is reachable; what was asked may still have happened, and ends with its TTL.`,
      details,
    );
  }
}

/**
 * How a lease was lost: `deadline` its time ran out with no sign of life from Redis; `gone` Redis no longer knows
 * it (expired, deleted, or the data lost); `taken` somebody else holds the lock; `released` its holder gave it back.
 */
export type LossReason = 'deadline' | 'gone' | 'taken' | 'released';

const told: Record<LossReason, string> = {
  deadline: 'its deadline passed',
  gone: 'Redis no longer knows it',
  taken: 'another holder has taken it',
  released: 'its holder has given it back',
};

/** The lease is no longer held. Whatever its holder did since must not be committed, or be fenced by its token. */
export class LockLostError extends LockError {
  override readonly name = 'LockLostError';
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
