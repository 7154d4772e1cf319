import { bookFenced } from '#src/booking/book-fenced.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * Guards with: the queue lock (first come, first served), and its fencing token, which the booking transaction shows
 *   to Postgres. A holder that was paused past its lease comes with a token smaller than its successor's and is
 *   refused; it books again under a new lease.
 * Breaks when: never, as far as exactness goes. Without Redis nothing is booked.
 * Costs: two round trips to Redis and one booking at a time per event; no polling.
 */
export function fencedLock(deps: StrategyDeps): Strategy {
  const { queueLock } = deps;
  return {
    name: 'fenced-lock',
    guarantee: 'always',
    guardsWith: 'the queue lock, and its fencing token checked by Postgres',
    breaksWhen: 'never; a holder paused past its lease is refused by its token',
    costs: 'two round trips to Redis, one booking at a time per event; waiting costs no polling',
    book: (request) => bookFenced(deps, queueLock, 'fenced-lock', request),
  };
}
