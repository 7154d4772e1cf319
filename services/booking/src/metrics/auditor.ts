import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { LockError, type Lease, type Locks } from '@lastseat/locking';

/**
 * Of all replicas one at a time runs the audit, round after round, for as long as it keeps the lock for it; where it dies
 * or leaves, another one goes on. Nothing breaks if for a moment two of them do: an audit changes nothing. So the simple
 * lock will do, and nobody waits in a queue: who finds it taken tries again a little later.
 */
export interface AuditorOptions<Audit> {
  locks: Pick<Locks, 'tryAcquire'>;
  audit: () => Promise<Audit>;
  /** Told what a round found; undefined: this replica is not, or no longer, the one to ask. */
  report: (audit: Audit | undefined) => void;
  /** Told of a round, or a try for the lock, that failed; the next one makes good for it. */
  onFailed: (error: unknown) => void;
  intervalMs?: number;
}

const LOCK_NAME = 'audit';

/** An alert that fires a minute after a seat was sold twice is early enough, and an audit reads every booking. */
const INTERVAL_MS = 60_000;

/** Of all time an audit takes one part in twenty at most, however many bookings there are to be read. */
const REST_PER_WORK = 19;

/** How long the others wait for one that died. */
const LEASE_TTL_MS = 15_000;

export function startAuditor<Audit>(options: AuditorOptions<Audit>): AsyncDisposable {
  const { locks, audit, report, onFailed, intervalMs = INTERVAL_MS } = options;
  const stop = new AbortController();
  const stopped = untilStopped();

  async function untilStopped(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await using lease = await locks.tryAcquire(LOCK_NAME, { ttlMs: LEASE_TTL_MS });
        if (lease !== null) await auditUnder(lease);
      } catch (error) {
        // Redis is away, or the lease was lost: nothing that the next try would not mend.
        if (!(error instanceof LockError)) onFailed(error);
      }
      // Jitter, so that the replicas take turns.
      await pause((Math.min(intervalMs, INTERVAL_MS) / 4) * (0.5 + Math.random()), stop.signal);
    }
  }

  async function auditUnder(lease: Lease): Promise<void> {
    const over = AbortSignal.any([lease.signal, stop.signal]);
    try {
      while (!over.aborted) {
        const startedAtMs = performance.now();
        const found = await Promise.race([audit().catch(onFailed), abortOf(over)]);
        if (!over.aborted && found !== undefined) report(found);
        await pause(restMs(intervalMs, performance.now() - startedAtMs), over);
      }
    } finally {
      report(undefined);
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await stopped;
    },
  };
}

/** From the end of one audit to the beginning of the next. */
export function restMs(intervalMs: number, tookMs: number): number {
  return Math.max(intervalMs, REST_PER_WORK * tookMs);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** A round may last for a minute, and a replica that stops does not wait for it. */
async function abortOf(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
