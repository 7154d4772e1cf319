import { MAX_CAPACITY } from '@lastseat/booking/contract';

import { buyer, type Workload } from './workload.ts';

export const rush: Workload = {
  name: 'rush',
  what: 'one hot event that does not run out: how many bookings a second its guard makes',
  tickets: ({ tickets }) => [tickets ?? MAX_CAPACITY],
  requests: ({ buyers }) => buyers,
  client: buyer,
  counts: ['booked'],
  // Nobody has to be refused where there is enough for everybody.
  exempt: ['never_sold_out'],
};
