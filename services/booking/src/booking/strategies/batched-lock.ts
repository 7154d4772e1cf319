import { LockTimeoutError } from '@lastseat/locking';

import { bookInBatch, createBatchQueues, type Gathered } from '#src/booking/batching/batch-queues.ts';
import {
  type BatchDeps,
  type BatchOptions,
  decideBatch,
  type Guard,
} from '#src/booking/batching/decide-batch.ts';
import { failWith } from '#src/booking/batching/pending.ts';
import { inTraceOf } from '#src/booking/request-trace.ts';
import { EVENT_NOT_FOUND, lockNameOf } from '#src/booking/strategy.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

type LockDeps = Pick<
  StrategyDeps,
  'eventExists' | 'keptLock' | 'lockTtlMs' | 'lockWaitMs' | 'onReleaseFailed'
>;

/**
 * What it buys is what one statement cannot do: a batch may be decided outside the database while the lease is held. A
 * replica keeps the lock while nobody else wants it.
 */
export function batchedLock(deps: Omit<BatchDeps, 'strategy'> & LockDeps): Strategy {
  const batchDeps = { ...deps, strategy: 'batched-lock' } as const;
  const queues = createBatchQueues({ decide });

  async function decide(gathered: Gathered): Promise<void> {
    const { eventId, take } = gathered;
    const nextGuard = (options: Parameters<BatchOptions['nextGuard']>[0]) => acquire(deps, eventId, options);
    let guard: Guard;
    try {
      // A name that nobody has booked under costs Redis a key: strangers must not be able to make them up.
      if (!(await deps.eventExists(eventId))) {
        for (const pending of gathered.takeAll()) pending.settle(EVENT_NOT_FOUND);
        return;
      }
      const waitMs = Math.max(0, gathered.deadlineMs - performance.now());
      const first = gathered.oldest === undefined ? [] : [gathered.oldest];
      guard = await inTraceOf(first, 'lock', () => nextGuard({ waitMs, tokenAbove: undefined }));
    } catch (error) {
      // In vain for the oldest of them says nothing about those who came later; a broken server is everybody's.
      if (error instanceof LockTimeoutError) gathered.dropExpired();
      else for (const pending of gathered.takeAll()) failWith(pending, error);
      return;
    }
    await decideBatch(batchDeps, { eventId, guard, nextGuard, take });
  }

  return {
    name: 'batched-lock',
    guarantee: 'always',
    guardsWith: 'one lease of the queue lock for many bookings, its fencing token checked by Postgres',
    breaksWhen:
      'never; a holder paused past its lease is refused by its token. Without Redis nothing is booked',
    costs: 'one commit for a whole batch; a hand-over of the lock where several replicas book',
    book: (request) => bookInBatch(queues, request, deps.lockWaitMs),
    waiting: () => queues.waiting,
  };
}

async function acquire(
  { keptLock, lockTtlMs: ttlMs, onReleaseFailed }: LockDeps,
  eventId: number,
  { waitMs, tokenAbove }: Parameters<BatchOptions['nextGuard']>[0],
): Promise<Guard> {
  const lease = await keptLock.acquire(lockNameOf(eventId), {
    ttlMs,
    waitMs,
    ...(tokenAbove === undefined ? {} : { tokenAbove }),
  });
  return {
    token: lease.token,
    assertHeld: () => lease.assertHeld(),
    // Somebody has had the lock since: then Redis knows, and we must not go on under what we take to be ours.
    refused: () => lease.extend(),
    release: () => void lease.release().catch(onReleaseFailed),
  };
}
