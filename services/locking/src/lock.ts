/** The one shape of all three algorithms: what a caller may ask of a lock, and what it gets. */

/** A lock held until a deadline. Its holder may be told that it was lost, but never keeps it past the deadline. */
export interface Lease extends AsyncDisposable {
  /** The lock name; of a lease over several names, all of them. */
  readonly name: string;
  /** How others see this grant for as long as it lasts, for instance in the `holder` of their `LockTimeoutError`. */
  readonly holder: string;
  /**
   * Fencing token: strictly larger than that of every earlier holder of this name. Hand it to the resource and let
   * the resource refuse smaller ones (`... where fence <= $token`). Always a safe integer, so it is exact as a number,
   * as a `bigint` and in JSON; about 1.8e15, so a column for it has 64 bits (`bigint`, not `integer`).
   */
  readonly token: number;
  /**
   * Of a lease over several names: the token of each. Then `token` is the largest of them, right for a resource that
   * is only ever guarded by these same names together; any other one must be given the token of its own name.
   */
  readonly tokens?: ReadonlyMap<string, number>;
  /**
   * Aborts once, when the lease ends in any other way than by its holder's `release()`. The reason is the `LockLostError`,
   * and its `why` tells which way: `deadline` (no renewal was confirmed in time; by the clock of this process, before
   * Redis lets another in), `max-hold` (after `maxHoldMs`), `gone` or `taken` (Redis says so: to a renewal, an extension
   * or the release, and at once where the queue lock is stolen), `closed` (the lock service was closed). It needs the
   * event loop, so code that blocks it looks at `assertHeld()`.
   */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline by this process's monotonic clock; 0 once lost or released. */
  remainingMs(): number;
  /** Throws `LockLostError` unless the lease is held at this very moment. Synchronous: for the line before a commit. */
  assertHeld(): void;
  /** Moves the deadline to `ttlMs` from now (default: the lease's own). Throws `LockLostError` or `LockUnavailableError`. */
  extend(ttlMs?: number): Promise<void>;
  /** Gives the lock back. Idempotent. Throws `LockLostError` if it had been lost before. */
  release(): Promise<void>;
}

export interface AcquireOptions {
  /** Longest wait for the lock, in milliseconds; 0 tries once. Default 10 s. */
  waitMs?: number | undefined;
  /** How long the lease outlives the last sign of life of its holder, in milliseconds. Default 10 s. */
  ttlMs?: number | undefined;
  /** Renew until released (default true). Without it the lease ends at its first deadline. */
  renew?: boolean | undefined;
  /**
   * How long the lease lasts at most, in milliseconds, however often it is renewed: so that a holder that hangs does not
   * keep others away for ever. At its end the lease is lost (`max-hold`) and the lock given back. Default: no limit.
   */
  maxHoldMs?: number | undefined;
  /** Cancels the wait; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** The token will be larger than this one: for a resource that has seen a token which Redis forgot. */
  tokenAbove?: number | undefined;
}

/** What a lock service is told once, for all its calls. */
export type AcquireDefaultOptions = Pick<AcquireOptions, 'waitMs' | 'ttlMs' | 'renew' | 'maxHoldMs'>;

/**
 * A lock service: one algorithm over one Redis (or several), for any number of names. A list of names is taken as a
 * whole or not at all, each name once, whatever the order of the list.
 */
export interface Locks extends AsyncDisposable {
  /**
   * Waits for the lock. No lock is re-entrant: a caller that holds it already and asks again waits for itself, until
   * `waitMs` is over, and is told so (`heldHere`). Pass the lease on instead.
   * @throws LockTimeoutError not obtained within `waitMs`
   * @throws LockUnavailableError Redis did not answer in time
   */
  acquire(name: string | readonly string[], options?: AcquireOptions): Promise<Lease>;
  /** The lock if it is free now, otherwise null. */
  tryAcquire(name: string | readonly string[], options?: AcquireOptions): Promise<Lease | null>;
  /** Runs `fn` under the lock and releases it whatever happens; a failing release never hides the error of `fn`. */
  withLock<T>(name: string | readonly string[], fn: (lease: Lease) => Promise<T> | T): Promise<T>;
  withLock<T>(
    name: string | readonly string[],
    options: AcquireOptions,
    fn: (lease: Lease) => Promise<T> | T,
  ): Promise<T>;
  /**
   * Sends all waiters away (`LockUnavailableError`), ends all leases (`LockLostError`, `closed`) and gives them back, in
   * bounded time. The same as `await using`. It leaves the client open that it was given.
   */
  close(): Promise<void>;
}
