import { count, examples, thousands } from '@lastseat/lab-frame/words.ts';

import type { Truth } from '../truth.ts';
import type { CheckResult } from './check.ts';

/** The last check, made only when all runs are over: is what was counted at the end of a run still true? */
export function afterwardsFailed(detail: string): CheckResult {
  const claim = 'what was counted is still true when all runs are over';
  return { check: 'changed-afterwards', claim, verdict: 'failed', details: [detail], isExpected: false };
}

export function changedAfterwards(before: Truth, now: Truth | null): string | null {
  if (now === null) return 'its event is gone from Postgres';
  // Whoever has reset the event since has done nothing to the run.
  if (now.epoch !== before.epoch) return null;
  const changes = [
    bookings('more', before, now),
    bookings('fewer', now, before),
    before.available === now.available
      ? ''
      : `the counter went from ${thousands(before.available)} to ${thousands(now.available)}`,
  ].filter(Boolean);
  return changes.length === 0 ? null : changes.join(', and ');
}

function bookings(what: 'more' | 'fewer', without: Truth, withThem: Truth): string {
  const known = new Set(without.rows.map(({ id }) => id));
  const others = withThem.rows.filter(({ id }) => !known.has(id));
  if (others.length === 0) return '';
  const whose = examples(others.map(({ customer }) => customer));
  return `${count(others.length, 'booking')} ${what} than when the last buyer was answered${whose}`;
}
