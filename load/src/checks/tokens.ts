import { FENCED_STRATEGIES } from '@lastseat/booking/contract';
import { agree, count, examples } from '@lastseat/lab-frame/words.ts';

import type { Evidence } from './evidence.ts';

/** Was every booking made under the lock that was asked for, and did the holders of the lock follow one another? */

export function tokenMissing({ truth, terms }: Evidence): string | null {
  const { strategy } = terms;
  if (!FENCED_STRATEGIES.includes(strategy)) return null;
  const without = truth.rows.filter((row) => row.fencingToken === null || row.stockRevision === null);
  if (without.length === 0) return null;
  const whose = without.map(({ customer }) => customer);
  return `${count(without.length, 'booking')} under ${strategy} ${agree(without.length, 'has', 'have')} no fencing token or no stock revision${examples(whose)}`;
}

/** In the order of commits, which is that of the stock revision; the bookings of one batch share both. */
export function tokensFall({ truth }: Evidence): string | null {
  const fenced = truth.rows
    .flatMap(({ customer, fencingToken, stockRevision }) =>
      fencingToken === null || stockRevision === null ? [] : [{ customer, fencingToken, stockRevision }],
    )
    .toSorted((a, b) => a.stockRevision - b.stockRevision);
  const falls = fenced.flatMap((row, index) => {
    const before = fenced[index - 1];
    if (!before) return [];
    const isOneBatch = before.stockRevision === row.stockRevision;
    const isRight = isOneBatch
      ? before.fencingToken === row.fencingToken
      : before.fencingToken <= row.fencingToken;
    return isRight ? [] : [`${row.customer}: token ${row.fencingToken} after ${before.fencingToken}`];
  });
  if (falls.length === 0) return null;
  return `${count(falls.length, 'booking')} made under an older lease than the one before${examples(falls)}`;
}
