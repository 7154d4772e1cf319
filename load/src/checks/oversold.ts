import { STOCK_CHECKS } from '@lastseat/booking/stock-findings';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const oversold = {
  name: 'oversold',
  claim: 'no more tickets were sold than there are',
  findings: { oversold: soldTooMany, oversell_not_shown: oversellNotShown },
} satisfies Check;

function soldTooMany({ tally }: Evidence): string | null {
  return STOCK_CHECKS.oversold({ ...tally.tickets, booked: tally.tickets.confirmed });
}

/** Only of a run that must oversell: a race that does not happen has shown nothing. */
function oversellNotShown({ tally, crowd, terms }: Evidence): string | null {
  if (terms.sells !== 'too many' || !mustOversell(crowd) || tally.tickets.oversold > 0) return null;
  return (
    `nothing was oversold, though ${count(crowd.connections, 'connection')} raced through a window of ` +
    `${crowd.raceWindowMs} ms: the race window or the lab mode is off, or something guards this route`
  );
}

/** Two must meet inside the window, and want more than there is. */
export function mustOversell(crowd: Crowd): boolean {
  const wanted = crowd.buyers * crowd.quantity;
  const meet = crowd.connections >= 2 && crowd.raceWindowMs > 0;
  return meet && crowd.quantity <= crowd.tickets && wanted > crowd.tickets;
}

type Crowd = Evidence['crowd'];
