import fc from 'fast-check';
import { expect, test } from 'vitest';

import { allocate } from '#src/booking/batching/allocate.ts';

const quantities = fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 60 });
const stock = fc.integer({ min: 0, max: 200 });

/** The model: one buyer after the other at a counter with a pile of tickets on it. */
function sellOneByOne(available: number, wanted: readonly number[]): boolean[] {
  const pile = Array.from({ length: available });
  const served: boolean[] = [];
  for (const quantity of wanted) {
    served.push(pile.length >= quantity && pile.splice(0, quantity).length === quantity);
  }
  return served;
}

test('a batch is allocated as if its requests had come one by one', () => {
  fc.assert(
    fc.property(stock, quantities, (available, wanted) => {
      expect(allocate(available, wanted)).toEqual(sellOneByOne(available, wanted));
    }),
  );
});

test('how arrivals are cut into batches changes nothing', () => {
  fc.assert(
    fc.property(stock, quantities, fc.nat(60), (available, wanted, cut) => {
      const first = allocate(available, wanted.slice(0, cut));
      const sold = first.reduce((sum, granted, i) => sum + (granted ? (wanted[i] ?? 0) : 0), 0);
      expect([...first, ...allocate(available - sold, wanted.slice(cut))]).toEqual(
        allocate(available, wanted),
      );
    }),
  );
});

test('a request that does not fit is refused whole and a smaller one behind it is still served', () => {
  expect(allocate(3, [2, 2, 1])).toEqual([true, false, true]);
});
