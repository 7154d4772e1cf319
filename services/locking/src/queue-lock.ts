import { checkServer, type ServerFinding } from './client/check-server.ts';
import { openClient, type RedisClient } from './client/choose-adapter.ts';
import { createHolderIds } from './holder-id.ts';
import { listenFor, tellRoundTrips } from './lock-events.ts';
import {
  acquireDefaults,
  acquireSettings,
  checkInteger,
  checkKnown,
  checkLockOptions,
  lockOptionNames,
  tokenMemoryDefaultMs,
  type LockOptions,
  type OptionNames,
} from './options.ts';
import { createQueueLocks, type QueueLocksCore } from './queue/locks.ts';
import { openRedisQueueStore, usesOfQueueLock } from './queue/redis-store.ts';
import type { OpenQueueStore } from './queue/store.ts';
import { maxTimerMs, systemTimers, type Timers } from './timers.ts';

export interface QueueLockOptions extends LockOptions {
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
}

export interface QueueLocks extends QueueLocksCore {
  /** Whether this Redis is fit to keep locks. Call it once, at the start of a program. Never rejects. */
  check(): Promise<ServerFinding[]>;
  /** Sends all waiters away, gives all leases back, ends the connections. Bounded by twice `commandTimeoutMs`. */
  close(): Promise<void>;
}

/**
 * A lock with a queue: first come, first served, and no process asks twice. The release of a lock makes the next
 * waiter its holder, in the same step, and tells it. See PROTOCOL.md.
 *
 * @param redis where the locks are; the locks make connections of their own to it
 */
export function createQueueLock(redis: RedisClient, options: QueueLockOptions = {}): QueueLocks {
  const client = openClient(redis);
  const { locks, keyPrefix, commandTimeoutMs } = openQueueLock(
    client,
    options,
    (messages, storeOptions, timers) => openRedisQueueStore(client, timers, messages, storeOptions),
  );
  const uses = usesOfQueueLock(client, keyPrefix);
  return { ...locks, check: () => checkServer(client.shared, commandTimeoutMs, uses) };
}

const optionNames: OptionNames<QueueLockOptions> = {
  ...lockOptionNames,
  coalesce: true,
  lingerMs: true,
  tenureGrants: true,
  tenureMs: true,
  maxWaiting: true,
  commandTimeoutMs: true,
  unavailableAfterMs: true,
  pollMs: true,
};

/**
 * The queue lock with these options, over any store.
 * @param client what it puts before every key
 * @param timers those of the process; a test that plays several processes has some for each
 */
export function openQueueLock(
  client: { readonly keyPrefix: string },
  options: QueueLockOptions,
  openStore: OpenQueueStore,
  timers: Timers = systemTimers,
): { readonly locks: QueueLocksCore; readonly keyPrefix: string; readonly commandTimeoutMs: number } {
  const {
    coalesce = true,
    lingerMs = 0,
    // A tenure of 256 callers costs two round trips, a hundredth of one for each caller. A longer tenure would save little,
    // and others would wait longer.
    tenureGrants = 256,
    // When critical sections are long, others wait for so long at most for each process before them.
    tenureMs = 50,
    // A waiter costs about a kilobyte: this many are a tenth of a gigabyte, and more than can be served in time.
    maxWaiting = 100_000,
    // Redis answers in well under a millisecond. Its short pauses (a fork, a slow command of another client) end within a
    // second.
    commandTimeoutMs = 1_000,
    // Long enough for a failover or a restart, short enough that a caller can still do something else.
    unavailableAfterMs = 5_000,
    // One small script a second for each name for which a process waits: next to nothing.
    pollMs = 1_000,
    tokenMemoryMs = tokenMemoryDefaultMs,
    keyPrefix = 'lock:',
    onReleaseFailed = () => undefined,
  } = options;
  checkKnown(options, optionNames);
  checkLockOptions(client, { ...options, keyPrefix, onReleaseFailed });
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
