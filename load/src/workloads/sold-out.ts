import { buyer, type Workload } from './workload.ts';

export const soldOut: Workload = {
  name: 'sold-out',
  what: 'everything is sold before the first client comes: how many true refusals a second',
  tickets: ({ tickets }) => [tickets ?? 1],
  isSoldOut: true,
  requests: ({ buyers }) => buyers,
  client: buyer,
  counts: ['refused'],
  // Nobody contends for what is gone.
  exempt: ['contention_not_shown', 'one_instance', 'losers_on_one_instance'],
};
