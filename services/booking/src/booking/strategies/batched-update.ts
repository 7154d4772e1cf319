import { bookInBatch, createBatchQueues } from '#src/booking/batching/batch-queues.ts';
import { type BatchDeps, decideBatch, type Guard } from '#src/booking/batching/decide-batch.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * The way of a booking by default, in the order of reading: http/new-booking-routes.ts, this file,
 * batching/batch-queues.ts (what gathers), batching/decide-batch.ts (who gets tickets), batching/book-together.ts
 * (several events in one statement) and storage/batches.ts (the statement).
 */
export function batchedUpdate(
  deps: Omit<BatchDeps, 'strategy'> & Pick<StrategyDeps, 'lockWaitMs'>,
): Strategy {
  const batchDeps = { ...deps, strategy: 'batched-update' } as const;
  const queues = createBatchQueues({
    decide: ({ eventId, take }) => decideBatch(batchDeps, { eventId, guard: UNGUARDED, nextGuard, take }),
  });
  return {
    name: 'batched-update',
    guarantee: 'always',
    guardsWith: 'one conditional statement for all bookings that have gathered',
    breaksWhen: 'never; but it fits only decisions that Postgres alone can make',
    costs: 'one commit for a whole batch; a lone booking pays it alone',
    book: (request) => bookInBatch(queues, request, deps.lockWaitMs),
    waiting: () => queues.waiting,
  };
}

const nextGuard = async () => UNGUARDED;

const UNGUARDED: Guard = {
  token: null,
  assertHeld: () => undefined,
  refused: async () => undefined,
  release: () => undefined,
};
