import { retryDelayDefaultMs, type TryResult } from './acquire-by-retry.ts';
import { assembleLocks } from './assemble-locks.ts';
import { createCalls } from './client/calls.ts';
import { checkServer, type ServerFinding } from './client/check-server.ts';
import { openClient, type RedisClient } from './client/choose-adapter.ts';
import { createHolderIds } from './holder-id.ts';
import { holderKeyTypes } from './holder-steps.ts';
import { validUntil } from './lease-deadline.ts';
import type { LeasePort, ReleaseOutcome } from './lease.ts';
import { createLocalQueue } from './local-queue.ts';
import { listenFor, tellRoundTrips } from './lock-events.ts';
import { lockKey } from './lock-name.ts';
import type { Locks } from './lock.ts';
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
import { createQuorumGrant, type QuorumGrant } from './quorum/grant.ts';
import { createQuorumServer, quorumScriptTexts } from './quorum/server.ts';
import { createRetryingService } from './retrying-service.ts';
import { maxTimerMs, systemClock, systemTimers } from './timers.ts';

export interface QuorumLockOptions extends LockOptions {
  /** Average time between two tries, in milliseconds. */
  retryDelayMs?: number | undefined;
  /** Longest wait for one reply of one server, in milliseconds; `acquire` may last a few times that longer than `waitMs`. */
  serverTimeoutMs?: number | undefined;
}

export interface QuorumLocks extends Locks {
  /**
   * Whether these servers are fit to keep locks, each by itself. Call it once, at the start of a program. Never rejects.
   */
  check: () => Promise<QuorumFinding[]>;
}

export interface QuorumFinding extends ServerFinding {
  /** Which one, by its place in the list of clients. */
  server: number;
}

/** Longer than a lock waits for a server: at the start of a program the connections are only just being made. */
const checkTimeoutMs = 1_000;

const optionNames: OptionNames<QuorumLockOptions> = {
  ...lockOptionNames,
  retryDelayMs: true,
  serverTimeoutMs: true,
};

/**
 * Redlock: a lock that is held on a majority of independent servers, and so survives the loss of a minority of them.
 * The algorithm, and why its tokens increase, is told in quorum/grant.ts.
 *
 * A server that restarts without its data forgets the locks it has granted: start it no sooner than the longest TTL
 * after its crash, or let it keep its data (`appendonly yes`, `appendfsync always`).
 *
 * @param redises an odd number of clients, three or more, of servers that know nothing of each other (no replicas)
 * @throws RangeError an even number of them, fewer than three, or the same twice
 */
export function createQuorumLock(
  redises: readonly RedisClient[],
  options: QuorumLockOptions = {},
): QuorumLocks {
  const {
    retryDelayMs = retryDelayDefaultMs,
    // A live server answers within milliseconds, and a majority decides without the dead ones. So this must be longer than
    // a short pause of a server, and much shorter than a TTL.
    serverTimeoutMs = 250,
    tokenMemoryMs = tokenMemoryDefaultMs,
    keyPrefix = 'quorum-lock:',
    onReleaseFailed = () => undefined,
  } = options;
  checkKnown(options, optionNames);
  checkServers(redises);
  const clients = redises.map(openClient);
  for (const client of clients) {
    checkLockOptions(client, { ...options, keyPrefix, onReleaseFailed });
    client.checkReplies();
  }
  checkInteger('retryDelayMs', retryDelayMs, 1, maxTimerMs);
  checkInteger('serverTimeoutMs', serverTimeoutMs, 1, maxTimerMs);
  checkInteger('tokenMemoryMs', tokenMemoryMs, 1, maxTimerMs);
  const defaults = acquireSettings(options, acquireDefaults);

  const emit = listenFor(options);
  const callsOf = clients.map(({ shared }) =>
    createCalls(shared, systemTimers, {
      timeoutMs: serverTimeoutMs,
      onRoundTrip: tellRoundTrips(emit),
      keyTypes: holderKeyTypes,
    }),
  );
  const servers = callsOf.map((calls) => createQuorumServer(calls, { keyPrefix, tokenMemoryMs }));
  const holderIds = createHolderIds(options.clientId);
  const service = createRetryingService(retryDelayMs, emit, createLocalQueue(retryDelayMs));

  function acquireOne(name: string, settings: AcquireSettings) {
    // A try that ends without a lease has given back by itself what it took, as far as the servers could be reached.
    return service.acquire(name, settings, {
      once: () => tryOnce(name, settings),
      giveBack: () => Promise.resolve(),
    });
  }

  async function tryOnce(name: string, settings: AcquireSettings): Promise<TryResult> {
    const { ttlMs, tokenAbove } = settings;
    const sentAtMs = systemClock.now();
    // A new id for every try: what the last one still gives back in the background is not what this one takes.
    const holder = holderIds.next();
    const grant = createQuorumGrant(servers, name, holder);
    const obtained = await grant.obtain(ttlMs, tokenAbove);
    if ('token' in obtained && systemClock.now() < validUntil({ sinceMs: sentAtMs, ttlMs })) {
      return {
        lease: service.lease(
          { ...settings, name, holder, token: obtained.token, sentAtMs },
          leasePort(grant),
        ),
      };
    }
    await giveBack(grant).catch(() => undefined);
    if ('takenBy' in obtained) return obtained;
    const noAnswer = 'unknown' in obtained ? obtained.unknown : new Error('the majority came too late');
    return { noAnswer, mayHold: false, inVain: false };
  }

  function leasePort(grant: QuorumGrant): LeasePort {
    return {
      extend: (ttlMs) => grant.extend(ttlMs),
      release: () => giveBack(grant),
      onLoss() {
        // A minority may still keep it, and would stand in the way of others until its TTL.
        service.inBackground(giveBack(grant));
      },
    };
  }

  /** Resolves when a majority has answered; the others are seen to in the background. */
  function giveBack(grant: QuorumGrant): Promise<ReleaseOutcome> {
    const released = grant.release();
    service.inBackground(grant.settled());
    return released;
  }

  async function check(): Promise<QuorumFinding[]> {
    const findings = await Promise.all(
      clients.map(async ({ shared }, server) => {
        const ofOne = await checkServer(shared, Math.max(checkTimeoutMs, serverTimeoutMs), {
          key: lockKey(keyPrefix, 'name'),
          scripts: quorumScriptTexts,
        });
        return ofOne.map(({ level, message }) => ({ server, level, message }));
      }),
    );
    return findings.flat();
  }

  async function close(): Promise<void> {
    await service.close();
    for (const calls of callsOf) calls.close();
  }

  return { ...assembleLocks({ defaults, acquireOne, onReleaseFailed, close }), check };
}

function checkServers(redises: readonly RedisClient[]): void {
  if (redises.length < 3 || redises.length % 2 === 0) {
    throw new RangeError(`A quorum needs an odd number of servers, three or more, not ${redises.length}.`);
  }
  if (new Set(redises).size !== redises.length) {
    throw new RangeError('A quorum needs different servers; the same client was given twice.');
  }
}
