import { LockTimeoutError } from './errors.ts';
import { guardListener } from './lock-events.ts';
import { checkName } from './lock-name.ts';
import type { AcquireOptions, Lease, Locks } from './lock.ts';
import {
  acquireOptionNames,
  acquireSettings,
  checkKnown,
  type AcquireDefaults,
  type AcquireSettings,
} from './options.ts';
import { acquireSeveral } from './several-names.ts';
import { runUnderLease } from './with-lock.ts';

/** What each algorithm does in its own way. The rest of `Locks` is the same for all of them, and is built on this. */
export interface LockAlgorithm {
  readonly defaults: AcquireDefaults;
  /** Waits for one name, already checked; `settings.signal` is not aborted yet. Errors as those of `Locks.acquire`. */
  readonly acquireOne: (name: string, settings: AcquireSettings) => Promise<Lease>;
  /** Told of a failing release that must not replace the outcome of `withLock`. */
  readonly onReleaseFailed: (error: unknown) => void;
  readonly close: () => Promise<void>;
}

/** Throws at once if the options of a request are wrong, or its signal is aborted already. */
export function requestSettings(options: AcquireOptions, defaults: AcquireDefaults): AcquireSettings {
  checkKnown(options, acquireOptionNames);
  const settings = acquireSettings(options, defaults);
  settings.signal?.throwIfAborted();
  return settings;
}

export function assembleLocks({ defaults, acquireOne, onReleaseFailed, close }: LockAlgorithm): Locks {
  const report = guardListener(onReleaseFailed);

  /** Throws at once if the request itself is wrong. */
  function begin(name: string | readonly string[], options: AcquireOptions): Promise<Lease> {
    const settings = requestSettings(options, defaults);
    if (typeof name === 'string') {
      checkName(name);
      return acquireOne(name, settings);
    }
    for (const one of name) checkName(one);
    if (name.length === 0) throw new TypeError('At least one lock name is needed.');
    return acquireSeveral(acquireOne, name, settings);
  }

  // This and `withLock` are no async functions. An async function keeps its frame for as long as its caller waits. That
  // would be a third of the memory of a waiter, and ten thousand waiters would not fit into a processor's cache.
  function acquire(name: string | readonly string[], options: AcquireOptions = {}): Promise<Lease> {
    try {
      return begin(name, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async function tryAcquire(name: string | readonly string[], options: AcquireOptions = {}) {
    try {
      return await begin(name, { ...options, waitMs: 0 });
    } catch (error) {
      if (error instanceof LockTimeoutError) return null;
      throw error;
    }
  }

  function withLock<T>(
    name: string | readonly string[],
    optionsOrFn: AcquireOptions | ((lease: Lease) => Promise<T> | T),
    maybeFn?: (lease: Lease) => Promise<T> | T,
  ): Promise<T> {
    const [options, fn] = typeof optionsOrFn === 'function' ? [{}, optionsOrFn] : [optionsOrFn, maybeFn];
    if (typeof fn !== 'function') {
      return Promise.reject(new TypeError('withLock needs a function to run under the lock.'));
    }
    return acquire(name, options).then((lease) => runUnderLease(lease, fn, report));
  }

  return { acquire, tryAcquire, withLock, close, [Symbol.asyncDispose]: close };
}
