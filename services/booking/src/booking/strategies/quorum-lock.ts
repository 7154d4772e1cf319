import { bookFenced, type FencedDeps } from '#src/booking/book-fenced.ts';
import type { Strategy, StrategyDeps } from '#src/booking/strategy.ts';

export function quorumLock(deps: FencedDeps & Pick<StrategyDeps, 'quorumLock'>): Strategy {
  const { quorumLock: locks } = deps;
  return {
    name: 'quorum-lock',
    guarantee: 'always',
    guardsWith:
      'a lock that most of several independent Redis servers grant, and its fencing token checked by Postgres',
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
