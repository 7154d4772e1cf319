import { FENCED_STRATEGIES } from '@lastseat/booking/contract';
import { agree, count, examples } from '@lastseat/lab-frame/words.ts';

import type { Check } from './check.ts';
import type { Evidence } from './evidence.ts';

export const tokensInCommitOrder = {
  name: 'tokens-in-commit-order',
  claim:
    'every booking was made under a fencing token, and in the order of commits none is smaller than the one before',
  findings: { token_missing: tokenMissing, tokens_fall: tokensFall },
  notShown: withoutTokens,
} satisfies Check;

function tokenMissing({ truth, terms }: Evidence): string | null {
  const { strategy } = terms;
  if (!FENCED_STRATEGIES.includes(strategy)) return null;
  const without = truth.rows.filter((row) => row.fencingToken === null || row.stockRevision === null);
  if (without.length === 0) return null;
  const whose = without.map(({ customer }) => customer);
  return `${count(without.length, 'booking')} under ${strategy} ${agree(without.length, 'has', 'have')} no fencing token or no stock revision${examples(whose)}`;
}

/** In the order of commits, which is that of the stock revision; the bookings of one batch share both. */
function tokensFall({ truth }: Evidence): string | null {
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

function withoutTokens({ truth, terms }: Evidence): string | null {
  if (!FENCED_STRATEGIES.includes(terms.strategy)) return `${terms.strategy} gives no fencing tokens`;
  const tokens = new Set(truth.rows.map(({ fencingToken }) => fencingToken));
  return tokens.size < 2 ? 'there was one lease at most: no two tokens to compare' : null;
}
