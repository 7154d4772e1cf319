import { createBatchQueues } from '#src/booking/batching/batch-queues.ts';
import { bookInBatch } from '#src/booking/batching/book-in-batch.ts';
import { decideBatch, type Guard } from '#src/booking/batching/decide-batch.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * Guards with: one conditional statement for all requests that have gathered. It takes the tickets of all of them and
 *   writes their rows, or does nothing; then a transaction hands out what is left in arrival order. No lock, no Redis.
 * Breaks when: never. But it fits only decisions that Postgres alone can make.
 * Costs: a batch shares one commit, so a hot event sells many times faster than one statement a booking. A lone booking
 *   pays one round trip and one commit.
 */
export function batchedUpdate(deps: StrategyDeps): Strategy {
  const batchDeps = { ...deps, strategy: 'batched-update' } as const;
  const queues = createBatchQueues({
    decide: ({ eventId, take }) => decideBatch(batchDeps, { eventId, guard: UNGUARDED, nextGuard, take }),
  });
  return {
    name: 'batched-update',
    guarantee: 'always',
    guardsWith: 'one conditional UPDATE for many bookings',
    breaksWhen: 'never; but it fits only decisions that Postgres alone can make',
    costs: 'one commit for a whole batch; a lone booking pays it alone',
    book: (request) => bookInBatch(queues, request, deps.lockWaitMs),
  };
}

const nextGuard = async () => UNGUARDED;

const UNGUARDED: Guard = {
  token: null,
  assertHeld: () => undefined,
  refused: async () => undefined,
  release: () => undefined,
};
