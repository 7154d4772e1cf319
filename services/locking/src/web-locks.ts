import { LockLostError } from './errors.ts';
import { guardListener } from './lock-events.ts';
import type { AcquireOptions, Lease, Locks } from './lock.ts';
import { runUnderLease } from './with-lock.ts';

/**
 * The platform's own way to ask for a lock, over any of the algorithms: code that uses exclusive locks of
 * `navigator.locks` runs unchanged, but for what differs, and its locks then hold across machines. After the Web Locks
 * standard, https://w3c.github.io/web-locks/.
 *
 * What differs, because Redis stands in between: `shared` is not offered; a wait ends after `waitMs` with a
 * `LockTimeoutError`; a holder learns that its lock was stolen when it next renews, or at once where the algorithm
 * can tell it; a name has a greatest length. A lock that is lost for any reason counts as stolen.
 */
export interface WebLocks {
  /**
   * Runs `callback` under the lock and resolves with its result once the lock is released.
   * @throws TypeError no callback, or an option that the standard does not know
   * @throws NotSupportedError (DOMException) options that exclude each other, or that the algorithm does not offer
   * @throws AbortError (DOMException) the lock was stolen or lost while `callback` ran; its `cause` is the `LockLostError`
   */
  request<T>(name: string, callback: (lock: WebLock) => Promise<T> | T): Promise<T>;
  request<T>(
    name: string,
    options: WebLockOptions & { ifAvailable?: false | undefined },
    callback: (lock: WebLock) => Promise<T> | T,
  ): Promise<T>;
  request<T>(
    name: string,
    options: WebLockOptions,
    callback: (lock: WebLock | null) => Promise<T> | T,
  ): Promise<T>;
  /** Who holds and who waits, at some moment that is already past. For people and logs, not for decisions. */
  query(): Promise<LockSnapshot>;
}

export interface WebLock {
  readonly name: string;
  readonly mode: 'exclusive';
  /** Beyond the standard: the lease, with its fencing token and its signal. */
  readonly lease: Lease;
}

export interface WebLockOptions extends AcquireOptions {
  mode?: 'exclusive' | 'shared' | undefined;
  /** Do not wait: `callback` gets null when the lock is not free. */
  ifAvailable?: boolean | undefined;
  /** Take the lock from whoever holds it, ahead of whoever waits. */
  steal?: boolean | undefined;
}

export interface LockSnapshot {
  held: LockInfo[];
  pending: LockInfo[];
}

export interface LockInfo {
  name: string;
  mode: 'exclusive';
  /** The process that holds or waits, as it named itself. */
  clientId: string;
}

/** What this asks of an algorithm beyond `Locks`; an algorithm without it answers NotSupportedError. */
export interface WebLocksSource extends Locks {
  /** Takes the lock from its holder, and goes ahead of all waiters. */
  steal?: (name: string, options?: AcquireOptions) => Promise<Lease>;
  inspect?: () => Promise<LockSnapshot>;
}

export interface WebLocksOptions {
  /** Told of a failing release that must not replace the outcome of the callback. */
  onReleaseFailed?: ((error: unknown) => void) | undefined;
}

export function createWebLocks(
  locks: WebLocksSource,
  { onReleaseFailed = () => undefined }: WebLocksOptions = {},
): WebLocks {
  const report = guardListener(onReleaseFailed);

  async function request<T>(
    name: string,
    ...rest: readonly unknown[] // (callback) or (options, callback)
  ): Promise<T> {
    const callback = (rest.length > 1 ? rest[1] : rest[0]) as (lock: WebLock | null) => Promise<T> | T;
    if (typeof callback !== 'function') throw new TypeError('A lock request needs a callback function.');
    const options = checkOptions(name, rest.length > 1 ? rest[0] : {});

    const lease = await obtain(locks, name, options);
    if (lease === null) return callback(null);
    try {
      return await runUnderLease(
        lease,
        () => whileHeld(lease, () => callback({ name, mode: 'exclusive', lease })),
        report,
      );
    } catch (error) {
      // Lost while the callback ran, or found lost on release: to the standard both are a broken lock. But a lock
      // that the callback itself took and lost is an error like any other of its own.
      const broken = error instanceof LockLostError && error.lock === name && error.token === lease.token;
      throw broken ? brokenLock(error) : error;
    }
  }

  async function query(): Promise<LockSnapshot> {
    if (locks.inspect === undefined) throw notSupported('This kind of lock cannot list its holders.');
    return locks.inspect();
  }

  return { request, query };
}

function obtain(locks: WebLocksSource, name: string, options: WebLockOptions): Promise<Lease | null> {
  const { ifAvailable = false, steal = false } = options;
  // Only what it knows: to the standard an unknown member of the options is no mistake.
  const { waitMs, ttlMs, renew, maxHoldMs, tokenAbove, signal } = options;
  const acquireOptions = { waitMs, ttlMs, renew, maxHoldMs, tokenAbove, signal };
  if (ifAvailable) return locks.tryAcquire(name, acquireOptions);
  if (!steal) return locks.acquire(name, acquireOptions);
  if (locks.steal === undefined) throw notSupported('This kind of lock cannot be stolen.');
  return locks.steal(name, acquireOptions);
}

/**
 * Rejects with the reason of `lease.signal` as soon as it aborts, even if the callback never returns. A lease that is
 * over before the callback could begin (the process was stopped between the grant and now) is not worth beginning.
 */
async function whileHeld<T>({ signal }: Lease, callback: () => Promise<T> | T): Promise<T> {
  signal.throwIfAborted();
  const { promise: lost, reject } = Promise.withResolvers<never>();
  const onLost = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onLost, { once: true });
  try {
    // A callback that throws at once must not keep the race from looking at `lost`: nobody else does.
    return await Promise.race([lost, (async () => callback())()]);
  } finally {
    signal.removeEventListener('abort', onLost);
  }
}

/** The checks of the standard, in its order: types first, then what excludes what, then the signal. */
function checkOptions(name: string, options: unknown): WebLockOptions {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw new TypeError('The options of a lock request must be an object.');
  }
  const checked = (options ?? {}) as WebLockOptions;
  const { mode = 'exclusive', ifAvailable = false, steal = false, signal } = checked;
  if (mode !== 'exclusive' && mode !== 'shared') {
    throw new TypeError(`"${String(mode)}" is not a lock mode ("exclusive" or "shared").`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('signal must be an AbortSignal.');
  }
  if (typeof name === 'string' && name.startsWith('-')) {
    throw notSupported('A lock name may not start with "-".');
  }
  if (steal && ifAvailable) throw notSupported('steal and ifAvailable exclude each other.');
  if (mode === 'shared') throw notSupported('Only exclusive locks are offered.');
  if (signal !== undefined && (steal || ifAvailable)) {
    throw notSupported('signal cannot be used with steal or ifAvailable.');
  }
  signal?.throwIfAborted();
  return checked;
}

function notSupported(message: string): DOMException {
  return new DOMException(message, 'NotSupportedError');
}

function brokenLock(cause: unknown): DOMException {
  return new DOMException('The lock was stolen or lost.', { name: 'AbortError', cause });
}
