import { expect, it } from 'vitest';

import { rateOf, ratesOf, verdictOfCell, voidOf } from '#src/runs/rate.ts';

import { cellOf } from './sample.ts';

const failed = { check: 'undersold', verdict: 'failed', detail: '3 of 4 sold' } as const;

it('a slice that cannot be believed has no rate, and spoils its cell', () => {
  const cell = cellOf([100, 200]);
  expect(ratesOf(cell)).toEqual([100, 200]);
  cell.slices[1] = cellOf([0, 200], { checks: [failed] }).slices[1]!;
  expect(rateOf(cell, cell.slices[1])).toBeNull();
  expect(ratesOf(cell)).toEqual([100]);
  expect([voidOf(cell), verdictOfCell(cell)]).toEqual(['3 of 4 sold', 'failed']);
});

it('the rate is that of the answers that the workload is about; of the no-op route, of all', () => {
  const lastTicket = cellOf([1], { workload: 'last-ticket' });
  const [slice] = lastTicket.slices;
  slice!.perSecond = { booked: 1, refused: 900 };
  expect(rateOf(lastTicket, slice!)).toBe(900);
  expect(rateOf({ ...lastTicket, strategy: 'no-op' }, slice!)).toBe(901);
});

it('a cell that was not reached is not shown', () => {
  expect(verdictOfCell(cellOf([]))).toBe('not shown');
});
