import { agree, count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const undersold = {
  name: 'undersold',
  claim: 'as many tickets were sold as there are, or as were wanted if that is fewer',
  findings: { undersold: soldTooFew, never_sold_out: neverSoldOut },
} satisfies Check;

function soldTooFew({ tally }: Evidence): string | null {
  const { capacity, confirmed, undersold } = tally.tickets;
  const { soldOut, gaveUp } = tally.buyers;
  const left = capacity - confirmed;
  if (undersold === 0) return null;
  const told = [
    soldOut > 0 ? `${count(soldOut, 'buyer')} ${agree(soldOut, 'was', 'were')} told sold_out` : '',
    gaveUp > 0 ? `${count(gaveUp, 'buyer')} gave up as busy` : '',
  ].filter(Boolean);
  const refused = told.length > 0 ? ` while ${told.join(' and ')}` : '';
  return `${thousands(confirmed)} of ${count(capacity, 'ticket')} sold: ${thousands(left)} left${refused}`;
}

/** Who comes after the last ticket is to hear of it; `busy` would send them round for ever. */
function neverSoldOut({ tally }: Evidence): string | null {
  const { soldOut, gaveUp } = tally.buyers;
  if (gaveUp === 0 || soldOut > 0 || tally.tickets.undersold > 0) return null;
  return `all ${count(gaveUp, 'loser')} gave up as busy: nobody was told sold_out`;
}
