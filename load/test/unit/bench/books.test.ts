import { describe, expect, it } from 'vitest';

import { faultIn } from '#src/bench/books.ts';

const sound = {
  started: 12,
  answered: 12,
  statuses: { 201: 10, 503: 2 } as Record<string, number>,
  rows: 10,
  uncounted: 0,
};

describe('the books of a measurement', () => {
  it('balance if every 201 has its row and every request its answer', () => {
    expect(faultIn('row-lock', sound)).toBeNull();
  });

  it.each([
    ['a 201 without a row', { rows: 9 }, '10 answered with 201, but 9 rows in Postgres'],
    ['a row without a 201', { rows: 11 }, '10 answered with 201, but 11 rows in Postgres'],
    ['a request that nobody answered', { started: 13 }, '1 request of 13 lost without an answer'],
    ['an answer of nginx', { statuses: { 201: 10, 502: 2 } }, 'answers that no guard gives: 502 2 times'],
    ['a counter that has missed a sale', { uncounted: 1 }, 'rows and counter differ by 1 ticket'],
    ['a counter that has sold what nobody has', { uncounted: -2 }, 'rows and counter differ by 2 tickets'],
    ['silence', { started: 0, answered: 0, statuses: {}, rows: 0 }, 'nothing was answered'],
  ])('do not balance with %s', (_what, spoilt, reason) => {
    expect(faultIn('row-lock', { ...sound, ...spoilt })).toBe(reason);
  });

  it('of the unguarded strategy may miss sales: that is what it is there to show', () => {
    expect(faultIn('no-lock', { ...sound, uncounted: 7 })).toBeNull();
  });

  it('of the no-op route have no rows', () => {
    expect(faultIn('no-op', { ...sound, rows: null })).toBeNull();
  });
});
