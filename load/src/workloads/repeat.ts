import { MAX_CAPACITY } from '@lastseat/booking/contract';

import type { Workload } from './workload.ts';

export const repeat: Workload = {
  name: 'repeat',
  what: 'each booking is asked for twice at about the same time, with one idempotency key: it is to be made once',
  tickets: ({ tickets }) => [tickets ?? MAX_CAPACITY],
  requests: ({ buyers }) => buyers,
  /** Two neighbours have the same keys in the same order. */
  client(_random, _events, client) {
    const pair = Math.ceil(client / 2);
    let number = 0;
    return {
      next() {
        number += 1;
        return { operation: 'book', event: 0, quantity: 1, key: { number, text: `pair-${pair}` } };
      },
    };
  },
  counts: ['booked'],
  exempt: [
    'never_sold_out',
    // The second one of a pair is a request too.
    'received_more',
    // It is answered with the booking of the first, which that one's request has made.
    'row_differs',
  ],
};
