import { acquireDefaults, acquireSettings, checkInteger, tokenMemoryDefaultMs } from './acquire-options.ts';
import { checkOptions } from './check-options.ts';
import { createHolderIds } from './holder-id.ts';
import { checkKnown, defaultOptionNames, type OptionNames } from './known-options.ts';
import { type Listeners, listenFor, type RoundTripListener, tellRoundTrips } from './lock-events.ts';
import type { AcquireDefaultOptions } from './lock.ts';
import { createQueueLocks, type QueueLocksCore } from './queue/locks.ts';
import type { QueueMessages, QueueStore } from './queue/store.ts';
import { maxTimerMs, systemTimers, type Timers } from './timers.ts';

export interface QueueLockOptions extends AcquireDefaultOptions, Listeners {
  /**
   * The callers of this process share one place in the queue and follow one another under one grant (default true).
   * Without it each caller has its own place, and the order of arrival holds across processes, caller by caller.
   */
  coalesce?: boolean | undefined;
  /**
   * How long this process keeps a lock that nobody in it wants any more, in milliseconds (default 0). While it is kept
   * it can be had again without asking Redis. As soon as another process asks for it, it is handed over.
   */
  lingerMs?: number | undefined;
  /** How many callers of this process may follow one another before others have a tenure. */
  tenureGrants?: number | undefined;
  /** For how long they may, in milliseconds. */
  tenureMs?: number | undefined;
  /** How many callers may wait in this process at once, over all names; one more gets `LockTimeoutError` at once. */
  maxWaiting?: number | undefined;
  /** Longest wait for one reply of Redis, in milliseconds. What was asked is then unknown, and asked again. */
  commandTimeoutMs?: number | undefined;
  /** How long Redis may be silent, in milliseconds, before those who wait get `LockUnavailableError`. */
  unavailableAfterMs?: number | undefined;
  /**
   * How often this process, while it waits, looks whether it was told everything, in milliseconds. It is passed over
   * when it has been silent for three and a half times that long. May differ from process to process.
   */
  pollMs?: number | undefined;
  /**
   * How long the last token of a name is remembered after its last lease, in milliseconds (default ten minutes): by so
   * much the clock of Redis may be set back, and tokens still increase. 0 where the resource keeps the fence, and whoever
   * is refused by it asks again with `tokenAbove`.
   */
  tokenMemoryMs?: number | undefined;
  /** Stands before every name, so that several services can share a Redis. */
  keyPrefix?: string | undefined;
  /** How this process is called in `holder` and `query()`; made unique by itself. Default: host and process id. */
  clientId?: string | undefined;
  /** Told of a failing release that must not replace the outcome of `withLock`. */
  onReleaseFailed?: ((error: unknown) => void) | undefined;
}

const optionNames: OptionNames<QueueLockOptions> = {
  ...defaultOptionNames,
  coalesce: true,
  lingerMs: true,
  tenureGrants: true,
  tenureMs: true,
  maxWaiting: true,
  commandTimeoutMs: true,
  unavailableAfterMs: true,
  pollMs: true,
  tokenMemoryMs: true,
  keyPrefix: true,
  clientId: true,
  onReleaseFailed: true,
  onEvent: true,
  onRenewalFailed: true,
};

/** What a store of the queue lock's steps is told. */
export interface QueueStoreOptions {
  readonly clientId: string;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
  /** A client that has given no sign of life for so long is passed over. */
  readonly staleMs: number;
  /** How long a name queue is kept after the last sign of life. */
  readonly queueMemoryMs: number;
  readonly tokenMemoryMs: number;
  readonly onRoundTrip: RoundTripListener | undefined;
}

export type OpenQueueStore = (
  messages: QueueMessages,
  options: QueueStoreOptions,
  timers: Timers,
) => QueueStore;

/**
 * The queue lock with these options, over any store.
 * @param client what it puts before every key
 */
export function openQueueLock(
  client: { readonly keyPrefix: string },
  options: QueueLockOptions,
  openStore: OpenQueueStore,
): { readonly locks: QueueLocksCore; readonly keyPrefix: string; readonly commandTimeoutMs: number } {
  const {
    coalesce = true,
    lingerMs = 0,
    // A tenure of 256 callers costs two round trips: with a thousand callers in four processes, one in a hundred of what
    // each caller's own would cost. More would save little, and let others wait longer.
    tenureGrants = 256,
    // What the others wait for at most, per process before them, when critical sections are long.
    tenureMs = 50,
    // A waiter costs about a kilobyte: this many are a tenth of a gigabyte, and more than can be served in time.
    maxWaiting = 100_000,
    // Redis answers in well under a millisecond. A second outlasts the hiccups that it recovers from by itself.
    commandTimeoutMs = 1_000,
    // Long enough for a failover or a restart, short enough that a caller can still do something else.
    unavailableAfterMs = 5_000,
    // One small script per second and name on which a process waits: nothing, beside what a waiting process does.
    pollMs = 1_000,
    tokenMemoryMs = tokenMemoryDefaultMs,
    keyPrefix = 'lock:',
    onReleaseFailed = () => undefined,
  } = options;
  checkKnown(options, optionNames);
  checkOptions(client, { ...options, keyPrefix, onReleaseFailed });
  checkInteger('lingerMs', lingerMs, 0, maxTimerMs);
  checkInteger('tenureGrants', tenureGrants, 1, 1_000_000);
  checkInteger('tenureMs', tenureMs, 1, maxTimerMs);
  checkInteger('maxWaiting', maxWaiting, 1, Number.MAX_SAFE_INTEGER);
  checkInteger('commandTimeoutMs', commandTimeoutMs, 1, maxTimerMs);
  checkInteger('unavailableAfterMs', unavailableAfterMs, 1, maxTimerMs);
  checkInteger('pollMs', pollMs, 1, maxTimerMs / 16);
  checkInteger('tokenMemoryMs', tokenMemoryMs, 0, maxTimerMs);
  if (typeof coalesce !== 'boolean')
    throw new TypeError(`coalesce must be a boolean, not ${typeof coalesce}.`);
  if (lingerMs > 0 && !coalesce)
    throw new TypeError('lingerMs needs coalesce: nobody else could use what is kept.');

  const emit = listenFor(options);
  const timers = systemTimers;
  const staleMs = Math.round(3.5 * pollMs);
  const locks = createQueueLocks(
    (messages) =>
      openStore(
        messages,
        {
          clientId: createHolderIds(options.clientId).client,
          keyPrefix,
          commandTimeoutMs,
          staleMs,
          // Long enough that a client which was cut off or blocked for a while finds its place again.
          queueMemoryMs: 4 * staleMs,
          tokenMemoryMs,
          onRoundTrip: tellRoundTrips(emit),
        },
        timers,
      ),
    {
      defaults: acquireSettings(options, acquireDefaults),
      settings: { coalesce, lingerMs, tenureGrants, tenureMs, unavailableAfterMs },
      maxWaiting,
      pollMs,
      emit,
      onReleaseFailed,
    },
    timers,
  );
  return { locks, keyPrefix, commandTimeoutMs };
}
