import { MAX_CAPACITY } from '@lastseat/booking/contract';

import type { Workload } from './workload.ts';
import { zipf } from './zipf.ts';

// Enough that most requests meet nobody, few enough that the first of them are hot.
const EVENTS = 200;

export const spread: Workload = {
  name: 'spread',
  what: `${EVENTS} events, the second half as popular as the first, the third a third (Zipf)`,
  tickets: ({ tickets }) => Array.from({ length: EVENTS }, () => tickets ?? MAX_CAPACITY),
  requests: ({ buyers }) => buyers,
  client(random, events) {
    const pick = zipf(events);
    return { next: () => ({ operation: 'book', event: pick(random()), quantity: 1 }) };
  },
  counts: ['booked'],
  // Most events have a handful of buyers, who meet one replica or two.
  exempt: [
    'never_sold_out',
    'contention_not_shown',
    'one_instance',
    'losers_on_one_instance',
    'replica_left_out',
  ],
};
