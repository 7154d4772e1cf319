import { agree, count, examples } from '@lastseat/lab-frame/words.ts';

import type { Attempt } from '../attempt.ts';
import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const refusedWhileFree = {
  name: 'refused-while-free',
  claim: 'nobody was told sold_out while there were enough tickets',
  findings: { refused_too_early: refusedTooEarly },
} satisfies Check;

/**
 * Nobody may be told that the tickets are gone before somebody who asks later gets as many. A run frees none, so the
 * booking that was asked for last stands for all: each refusal that was answered before it began is wrong.
 */
function refusedTooEarly({ attempts, crowd, rowsOf }: Evidence): string | null {
  const booked = attempts.filter(({ customer }) =>
    rowsOf.get(customer)?.some(({ quantity }) => quantity >= crowd.quantity),
  );
  const last = booked.reduce<Attempt | null>(
    (last, attempt) => (last && last.startedAtMs >= attempt.startedAtMs ? last : attempt),
    null,
  );
  if (!last) return null;
  const early = attempts.filter(
    ({ answer }) => answer?.code === 'sold_out' && answer.receivedAtMs < last.startedAtMs,
  );
  if (early.length === 0) return null;
  return (
    `${count(early.length, 'buyer')} ${agree(early.length, 'was', 'were')} told sold_out while there were tickets ` +
    `left${examples(early.map(({ customer }) => customer))}: ${last.customer} asked after that and got one`
  );
}
