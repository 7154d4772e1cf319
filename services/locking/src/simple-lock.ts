import { setImmediate as afterReplies } from 'node:timers/promises';

import { retryDelayDefaultMs, type TryResult } from './acquire-by-retry.ts';
import { assembleLocks, requestSettings } from './assemble-locks.ts';
import { createCalls, isSendable } from './client/calls.ts';
import { checkServer, type ServerFinding } from './client/check-server.ts';
import { openClient, type RedisClient } from './client/choose-adapter.ts';
import { notConnected, RefusedError } from './client/errors.ts';
import type { ClientPort } from './client/port.ts';
import { listHeld } from './client/scan.ts';
import { loadScript } from './client/script.ts';
import { createHolderIds } from './holder-id.ts';
import { createHolderSteps, holderKeyTypes, holderScripts } from './holder-steps.ts';
import { validUntil } from './lease-deadline.ts';
import type { LeasePort } from './lease.ts';
import { listenFor, tellRoundTrips } from './lock-events.ts';
import { checkName, lockKey } from './lock-name.ts';
import type { AcquireOptions, Lease } from './lock.ts';
import {
  acquireDefaults,
  acquireSettings,
  checkInteger,
  checkKnown,
  checkLockOptions,
  lockOptionNames,
  tokenMemoryDefaultMs,
  type AcquireSettings,
  type LockOptions,
  type OptionNames,
} from './options.ts';
import { createRetryingService } from './retrying-service.ts';
import { maxTimerMs, systemClock, systemTimers, type Timers } from './timers.ts';
import type { LockSnapshot, WebLocksSource } from './web-locks.ts';

export interface SimpleLockOptions extends LockOptions {
  /** Average time between two tries, in milliseconds. */
  retryDelayMs?: number | undefined;
  /** Longest wait for one reply of Redis, in milliseconds; `acquire` may last that much longer than `waitMs`. */
  commandTimeoutMs?: number | undefined;
}

export interface SimpleLocks extends WebLocksSource {
  /** Whether this Redis is fit to keep locks. Call it once, at the start of a program. Never rejects. */
  check: () => Promise<ServerFinding[]>;
  steal: (name: string, options?: AcquireOptions) => Promise<Lease>;
  inspect: () => Promise<LockSnapshot>;
}

const acquireScript = loadScript('simple-acquire');

const optionNames: OptionNames<SimpleLockOptions> = {
  ...lockOptionNames,
  retryDelayMs: true,
  commandTimeoutMs: true,
};

/**
 * The textbook lock on one Redis, "correct implementation with a single instance" in
 * https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/ :
 *
 *     SET name <unique id> NX PX <ttl>                    takes it if it is free
 *     if GET name == <unique id> then DEL name            gives back only what is ours, in one step
 *
 * In between, whoever finds it taken tries again after a random delay. There is no queue: the next holder is whoever
 * happens to try first. Beyond the textbook: a fencing token, renewal, and a lost reply recognised as a grant.
 */
export function createSimpleLock(redis: RedisClient, options: SimpleLockOptions = {}): SimpleLocks {
  checkKnown(options, optionNames);
  return openSimpleLock(openClient(redis), options);
}

/**
 * The simple lock over any client.
 * @param timers those of the process; a test that plays several processes has some for each
 */
export function openSimpleLock(
  client: ClientPort,
  options: SimpleLockOptions,
  timers: Timers = systemTimers,
): SimpleLocks {
  const {
    retryDelayMs = retryDelayDefaultMs,
    // Redis answers in well under a millisecond. Its short pauses (a fork, a slow command of another client) end within a
    // second, and several tries still fit into a lease of 10 s.
    commandTimeoutMs = 1_000,
    tokenMemoryMs = tokenMemoryDefaultMs,
    keyPrefix = 'simple-lock:',
    onReleaseFailed = () => undefined,
  } = options;
  checkLockOptions(client, { ...options, keyPrefix, onReleaseFailed });
  client.checkReplies();
  checkInteger('retryDelayMs', retryDelayMs, 1, maxTimerMs);
  checkInteger('commandTimeoutMs', commandTimeoutMs, 1, maxTimerMs);
  checkInteger('tokenMemoryMs', tokenMemoryMs, 0, maxTimerMs);
  const defaults = acquireSettings(options, acquireDefaults);

  const holderIds = createHolderIds(options.clientId);
  const emit = listenFor(options);
  const service = createRetryingService(retryDelayMs, emit, undefined, timers);
  const connection = client.shared;
  const calls = createCalls(connection, timers, {
    timeoutMs: commandTimeoutMs,
    onRoundTrip: tellRoundTrips(emit),
    keyTypes: holderKeyTypes,
  });
  const { keysOf, extend, release } = createHolderSteps(calls, { keyPrefix, tokenMemoryMs });

  function acquireOne(name: string, settings: AcquireSettings, steal = false): Promise<Lease> {
    // One id for the whole wait: a try that took the lock although its reply was lost is recognised by the next one.
    const id = holderIds.next();
    return service.acquire(name, settings, {
      once: () => tryOnce(name, id, settings, steal),
      giveBack: () => release(name, id),
    });
  }

  async function tryOnce(
    name: string,
    id: string,
    settings: AcquireSettings,
    steal: boolean,
  ): Promise<TryResult> {
    // Sent during an outage it would be executed at its end, when perhaps nobody waits for it any more.
    if (!isSendable(connection)) return noAnswer(notConnected(connection.link.state), false);
    const { ttlMs, tokenAbove } = settings;
    const sentAtMs = systemClock.now();
    try {
      const memoryMs = ttlMs + tokenMemoryMs;
      const args = [id, `${ttlMs}`, `${tokenAbove}`, `${memoryMs}`, steal ? 'steal' : ''];
      const { reply } = await calls.run(acquireScript, keysOf(name), args);
      const answer = reply as [0, string] | [1, number];
      if (answer[0] === 0) return { takenBy: answer[1] };
      if (systemClock.now() >= validUntil({ sinceMs: sentAtMs, ttlMs })) {
        throw new Error('the grant came too late');
      }
      return {
        lease: service.lease(
          { ...settings, name, holder: id, token: answer[1], sentAtMs },
          leasePort(name, id),
        ),
      };
    } catch (error) {
      return noAnswer(error, true);
    }
  }

  function leasePort(name: string, id: string): LeasePort {
    return {
      extend: (ttlMs) => extend(name, id, ttlMs),
      release: () => release(name, id),
      onLoss({ why }) {
        // Redis may still keep the lock, or may still execute a renewal that it has not answered. Others need not wait until
        // that has expired.
        if (why !== 'gone' && why !== 'taken') service.inBackground(release(name, id));
      },
    };
  }

  async function steal(name: string, stealOptions: AcquireOptions = {}): Promise<Lease> {
    checkName(name);
    return acquireOne(name, requestSettings(stealOptions, defaults), true);
  }

  return {
    ...assembleLocks({
      defaults,
      acquireOne: (name, settings) => acquireOne(name, settings),
      onReleaseFailed,
      async close() {
        await service.close();
        calls.close();
      },
    }),
    check: () =>
      checkServer(connection, commandTimeoutMs, {
        key: lockKey(keyPrefix, 'name'),
        scripts: [acquireScript, ...holderScripts].map(({ text }) => text),
      }),
    steal,
    async inspect() {
      const { client: clientId } = holderIds;
      const held = await listHeld(calls, keyPrefix, service.callers);
      // Replies that came before are handled first, so that nobody is listed both as the holder and as a waiter.
      await afterReplies();
      const heldHere = new Set(held.filter((lock) => lock.clientId === clientId).map(({ name }) => name));
      // Redis knows of no waiters here; each process knows its own callers: all but the holder wait.
      const waiting = service.callers().filter((name) => !heldHere.delete(name));
      return { held, pending: waiting.map((name) => ({ name, mode: 'exclusive', clientId })) };
    },
  };
}

function noAnswer(error: unknown, mayHold: boolean): TryResult {
  return { noAnswer: error, mayHold, inVain: error instanceof RefusedError };
}
