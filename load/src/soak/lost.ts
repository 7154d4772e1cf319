import { count, examples } from '@lastseat/lab-frame/words.ts';

import { outcomeOf, type Exchange } from '../generators/exchange.ts';
import type { CheckVerdict } from '../runs/run.ts';

/** A booking that somebody was told of, and has not given back, has its row; and whoever has one can give it back. */
export function nothingLost(exchanges: readonly Exchange[], rows: ReadonlySet<string>): CheckVerdict {
  const check = 'nothing-lost';
  const given = new Set<string>();
  const refused: string[] = [];
  const sold = new Set<string>();
  for (const exchange of exchanges) {
    const { ask, answer } = exchange;
    const outcome = outcomeOf(exchange);
    if (ask.operation === 'cancel') {
      if (outcome === 'refused') refused.push(`${ask.bookingId}: ${answer?.code}`);
      if (outcome !== 'busy') given.add(ask.bookingId);
    }
    if (ask.operation === 'confirm' && outcome === 'confirmed') sold.add(ask.bookingId);
    if (outcome === 'booked' && answer?.booking) sold.add(answer.booking.bookingId);
  }
  const lost = [...sold].filter((id) => !given.has(id) && !rows.has(id));
  if (lost.length === 0 && refused.length === 0) return { check, verdict: 'passed', detail: null };
  const details = [
    lost.length > 0
      ? `${count(lost.length, 'booking')} that somebody was given is gone${examples(lost)}`
      : '',
    refused.length > 0
      ? `${count(refused.length, 'booking')} could not be given back${examples(refused)}`
      : '',
  ];
  return { check, verdict: 'failed', detail: details.filter(Boolean).join('; ') };
}
