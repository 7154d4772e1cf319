import { bookFenced, type FencedDeps } from '#src/booking/book-fenced.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

export function fencedLock(deps: FencedDeps & Pick<StrategyDeps, 'queueLock'>): Strategy {
  const { queueLock } = deps;
  return {
    name: 'fenced-lock',
    guarantee: 'always',
    guardsWith: 'the queue lock, first come, first served, and its fencing token checked by Postgres',
    breaksWhen:
      'never; a holder paused past its lease is refused by its token and books again under a new one. Without Redis nothing is booked',
    costs: 'two round trips to Redis, one booking at a time per event; waiting costs no polling',
    book: (request) => bookFenced(deps, queueLock, 'fenced-lock', request),
  };
}
