import { STOCK_CHECKS } from '@lastseat/booking/stock-findings';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const counterAgainstRows = {
  name: 'counter-against-rows',
  claim: 'the counter in Postgres agrees with its booking rows',
  findings: { counter_differs: counterDiffers, capacity_differs: capacityDiffers },
} satisfies Check;

function counterDiffers({ tally }: Evidence): string | null {
  return STOCK_CHECKS.counter_differs({ ...tally.tickets, booked: tally.tickets.confirmed });
}

function capacityDiffers({ tally, crowd }: Evidence): string | null {
  const { capacity } = tally.tickets;
  if (capacity === crowd.tickets) return null;
  return `the event was to have ${count(crowd.tickets, 'ticket')}, Postgres says ${thousands(capacity)}`;
}
