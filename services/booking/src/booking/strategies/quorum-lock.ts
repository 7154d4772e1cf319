import { bookFenced } from '#src/booking/book-fenced.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

/**
 * Guards with: a lock that most of several independent Redis servers must grant, and its fencing token, checked by
 *   Postgres exactly as in `fenced-lock`.
 * Breaks when: never, as far as exactness goes. One of three servers may die and it still books; with fewer than a
 *   majority nothing is booked.
 * Costs: every round trip to all servers, the slowest of the majority counts; waiting by polling.
 */
export function quorumLock(deps: StrategyDeps): Strategy {
  const { quorumLock: locks } = deps;
  return {
    name: 'quorum-lock',
    guarantee: 'always',
    guardsWith: 'a majority of independent Redis servers, and a fencing token checked by Postgres',
    breaksWhen: 'never; it books as long as a majority of the servers answers',
    costs: 'a round trip to all servers for each step, one booking at a time per event, waiting by polling',

    async book(request) {
      if (locks === null) {
        const detail =
          'The quorum lock needs three Redis servers of its own. Start them with: make up QUORUM=3';
        return { code: 'unavailable', detail };
      }
      return bookFenced(deps, locks, 'quorum-lock', request);
    },
  };
}
