import { setTimeout as sleep } from 'node:timers/promises';

import {
  deleteHeldStockOfOldEpochs,
  endHolds,
  findEventsWithEndedHolds,
  markExpired,
} from '#src/storage/held-stock.ts';
import type { PooledDb } from '#src/storage/pool.ts';

/**
 * Tidies up after holds that have ended: their tickets go back to the counter, and their rows say so. Nobody waits for it:
 * what has ended is free anyway (see storage/held-stock.ts). Every replica does it, and several at once do no harm.
 */

/** How untidy it may be. A round that finds nothing is three small reads. */
const PAUSE_MS = 5_000;

/** In one statement: a few milliseconds, for which the rows are locked. */
const MAX_MARKED = 1_000;
const MAX_EVENTS = 100;

/** A round must not outlive its replica. */
const ROUND_MS = 10_000;

export interface SweeperOptions {
  db: PooledDb;
  /** Told of a round that failed; the next one makes good for it. */
  onFailed: (error: unknown) => void;
  pauseMs?: number;
}

export function startHoldSweeper({ db, onFailed, pauseMs = PAUSE_MS }: SweeperOptions): AsyncDisposable {
  const stop = new AbortController();
  const stopped = sweepUntilStopped();

  async function sweepUntilStopped(): Promise<void> {
    while (!stop.signal.aborted) {
      // Jitter, so that the replicas take turns.
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal: stop.signal, ref: false }).catch(
        () => undefined,
      );
      if (stop.signal.aborted) return;
      await sweepHolds(db, stop.signal).catch(onFailed);
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await stopped;
    },
  };
}

export async function sweepHolds(db: PooledDb, signal?: AbortSignal): Promise<void> {
  const until = db.until(performance.now() + ROUND_MS);
  for (const eventId of await findEventsWithEndedHolds(until, MAX_EVENTS)) {
    if (signal?.aborted === true) return;
    await endHolds(until, eventId);
  }
  await deleteHeldStockOfOldEpochs(until);
  for (;;) {
    const marked = await markExpired(until, MAX_MARKED);
    if (marked < MAX_MARKED || signal?.aborted) return;
  }
}
