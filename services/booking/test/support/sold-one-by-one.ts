import { expect } from 'vitest';

import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

import type { House } from './house.ts';

/** The model: one buyer after the other at a counter. Each gets all that he wants, or nothing. */
function sellOneByOne(stock: number, wanted: readonly number[]): boolean[] {
  let left = stock;
  return wanted.map((quantity) => {
    const fits = quantity <= left;
    if (fits) left -= quantity;
    return fits;
  });
}

/**
 * What must hold of any run that only ever took stock, whatever broke in it: the model serves those who have a row, in
 * the order of their commits, and refuses everybody after them who was told that it is sold out. So nothing is sold
 * twice, and nobody refused in vain. And each answer is true: `booked` has its row, under its token, and no other one
 * has any but `unknown`, which may have.
 */
export async function expectSoldOneByOne(
  house: House,
  eventId: number,
  asked: readonly BookingRequest[],
  outcomes: readonly Outcome[],
): Promise<void> {
  const { capacity, available } = await house.event(eventId);
  const rows = await house.rowsOf(eventId);
  const sold = rows.toSorted((a, b) => (a.stock_revision ?? 0) - (b.stock_revision ?? 0));
  const refused = asked.filter((_, i) => outcomes[i]?.code === 'sold_out');
  expect(
    sellOneByOne(
      capacity,
      [...sold, ...refused].map(({ quantity }) => quantity),
    ),
  ).toEqual([...sold.map(() => true), ...refused.map(() => false)]);
  expect(sold.reduce((sum, { quantity }) => sum + quantity, 0)).toBe(capacity - available);

  const rowOf = new Map(rows.map((row) => [row.id, row]));
  for (const [i, { bookingId, quantity }] of asked.entries()) {
    const outcome = outcomes[i];
    const row = rowOf.get(bookingId);
    if (outcome?.code === 'booked') {
      expect(row, 'booked, and yet it has no row').toMatchObject({
        quantity,
        fencing_token: outcome.fencingToken,
      });
    } else if (outcome?.code !== 'unknown') {
      expect(row, `${outcome?.code}, and yet it has a row`).toBeUndefined();
    }
    rowOf.delete(bookingId);
  }
  expect([...rowOf.keys()], 'rows that nobody asked for').toEqual([]);
}
