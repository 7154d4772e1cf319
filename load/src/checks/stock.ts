import { STOCK_CHECKS } from '@lastseat/booking/stock-findings';
import { agree, count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Evidence } from './evidence.ts';

/** Was as much sold as there was, and does the counter agree? */

export function oversold({ tally }: Evidence): string | null {
  return STOCK_CHECKS.oversold({ ...tally.tickets, booked: tally.tickets.confirmed });
}

export function undersold({ tally }: Evidence): string | null {
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

export function counterDiffers({ tally }: Evidence): string | null {
  return STOCK_CHECKS.counter_differs({ ...tally.tickets, booked: tally.tickets.confirmed });
}

export function capacityDiffers({ tally, crowd }: Evidence): string | null {
  const { capacity } = tally.tickets;
  if (capacity === crowd.tickets) return null;
  return `the event was to have ${count(crowd.tickets, 'ticket')}, Postgres says ${thousands(capacity)}`;
}

/** Only of a run that must oversell: a race that does not happen has shown nothing. */
export function oversellNotShown({ tally, crowd, terms }: Evidence): string | null {
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
