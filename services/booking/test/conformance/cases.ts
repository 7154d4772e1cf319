import assert from 'node:assert/strict';

import { book } from '#src/booking/book.ts';
import type { BookingRequest } from '#src/booking/strategy.ts';
import type { Context } from '#src/context.ts';
import { beginEpoch } from '#src/storage/events.ts';
import { readStock } from '#src/storage/inventory.ts';

import { bookingRequest } from '../support/requests.ts';
import { bookInRaceWindow, strategyOf, type ConformanceCase } from './case.ts';

/** What every strategy owes whatever its guarantee. `make challenge` asks it of a stranger's, the tests of all of ours. */
export const CONFORMANCE: readonly ConformanceCase[] = [
  {
    title: 'takes the tickets and writes the booking, or neither',
    async run({ here, rows }, name) {
      const eventId = await rows.newEvent(5);
      const strategy = strategyOf(here, name);
      const [first, tooMany, rest] = [3, 3, 2].map((quantity) => bookingRequest(eventId, { quantity }));
      assert.ok(first && tooMany && rest);
      assert.equal((await book(strategy, first)).code, 'booked');
      assert.equal((await book(strategy, tooMany)).code, 'sold_out');
      assert.equal((await book(strategy, rest)).code, 'booked');
      const ids = (await rows.rowsOf(eventId)).map(({ id }) => id);
      assert.deepEqual(ids, [first.bookingId, rest.bookingId].toSorted());
      const { available, booked, oversold } = await rows.event(eventId);
      assert.deepEqual({ available, booked, oversold }, { available: 0, booked: 5, oversold: 0 });
    },
  },
  {
    title: 'names in each row the request that made it, and the place in the order of the event',
    async run({ here, db, rows }, name) {
      const eventId = await rows.newEvent(9);
      const requests = [1, 3, 2].map((quantity) => bookingRequest(eventId, { quantity }));
      for (const request of requests) await book(strategyOf(here, name), request);
      const { version = -1 } = (await readStock(db, eventId)) ?? {};
      assert.deepEqual(
        [...(await rows.requestsOf(eventId))],
        requests.map(({ requestId }, i) => [requestId, version - 2 + i]),
      );
    },
  },
  {
    title: 'books a request once, however often it comes, and answers with its booking',
    async run({ here, there, rows }, name) {
      const eventId = await rows.newEvent(5);
      const { requestId } = bookingRequest(eventId);
      const send = (replica: Context, overrides: Partial<BookingRequest> = {}) =>
        book(
          strategyOf(replica, name),
          bookingRequest(eventId, { requestId, mayBeRepeated: true, quantity: 3, ...overrides }),
        );
      async function assertBookedBefore(): Promise<void> {
        for (const replica of [here, there]) {
          const again = await send(replica);
          assert.equal(again.code, 'booked_before');
          assert.equal(again.code === 'booked_before' && again.booking.bookingId, first?.id);
        }
      }
      assert.equal((await send(here)).code, 'booked');
      const [first] = await rows.rowsOf(eventId);
      await assertBookedBefore();
      // For something else it is another request, and does not fit.
      assert.equal((await send(here, { quantity: 2 })).code, 'request_id_reused');
      assert.equal((await send(there, { customer: 'somebody else' })).code, 'request_id_reused');
      // Its own booking has taken the last tickets.
      const last = bookingRequest(eventId, { quantity: 2 });
      assert.equal((await book(strategyOf(here, name), last)).code, 'booked');
      await assertBookedBefore();
      assert.equal((await rows.rowsOf(eventId)).length, 2);
      const { available, booked } = await rows.event(eventId);
      assert.deepEqual({ available, booked }, { available: 0, booked: 5 });
    },
  },
  {
    title: 'books a request once that reaches both replicas at once, and whoever stands beside it',
    async run({ here, there, rows }, name) {
      const eventId = await rows.newEvent(30);
      const { requestId } = bookingRequest(eventId);
      const buy = async (overrides: Partial<BookingRequest> = {}) => {
        for (;;) {
          const replica = Math.random() < 0.5 ? here : there;
          const outcome = await book(strategyOf(replica, name), bookingRequest(eventId, overrides));
          if (outcome.code !== 'busy') return outcome.code;
        }
      };
      const outcomes = await Promise.all([
        ...Array.from({ length: 10 }, () => buy()),
        ...Array.from({ length: 6 }, () => buy({ requestId, mayBeRepeated: true })),
        ...Array.from({ length: 10 }, () => buy()),
      ]);
      assert.equal((await rows.rowsOf(eventId)).length, 21, 'rows');
      assert.equal(outcomes.filter((code) => code === 'booked').length, 21, 'told booked');
      assert.equal(outcomes.filter((code) => code === 'booked_before').length, 5, 'told booked before');
    },
  },
  {
    title: 'knows an event that does not exist from one that is sold out',
    async run({ here }, name) {
      const outcome = await book(strategyOf(here, name), bookingRequest(2_147_483_647));
      assert.deepEqual(outcome, { code: 'event_not_found' });
    },
  },
  {
    title: 'goes from one replica to the other and back',
    async run({ here, there, rows }, name) {
      const eventId = await rows.newEvent(3);
      const outcomes = [];
      for (const replica of [here, there, here, there]) {
        outcomes.push((await book(strategyOf(replica, name), bookingRequest(eventId))).code);
      }
      assert.deepEqual(outcomes, ['booked', 'booked', 'booked', 'sold_out']);
    },
  },
  {
    title: 'a booking under way does not leak into the next epoch',
    async run({ here, db, rows }, name) {
      const eventId = await rows.newEvent(5);
      const { booking } = await bookInRaceWindow(here, name, eventId, { raceWindowMs: 300 });
      await beginEpoch(db, eventId, 7);
      await booking;
      // A strategy that has not read yet may book in the new epoch, whole; nothing of the old one may be in it.
      const sold = (await rows.rowsOf(eventId)).filter(({ epoch }) => epoch === 2).length;
      const { capacity, available, booked, oversold } = await rows.event(eventId);
      assert.deepEqual(
        { capacity, available, booked, oversold },
        { capacity: 7, available: 7 - sold, booked: sold, oversold: 0 },
      );
    },
  },
  {
    title: 'a caller who has gone is not booked for',
    // In a batch the window is everybody's, and the absence of one must not end it.
    isFor: ({ name }) => !name.startsWith('batched-'),
    async run({ here, there, rows }, name) {
      const eventId = await rows.newEvent(5);
      const caller = new AbortController();
      const { booking } = await bookInRaceWindow(here, name, eventId, {
        raceWindowMs: 5_000,
        signal: caller.signal,
      });
      caller.abort();
      assert.equal((await booking).code, 'busy');
      assert.deepEqual(await rows.rowsOf(eventId), []);
      // The guard is free again.
      assert.equal((await book(strategyOf(there, name), bookingRequest(eventId))).code, 'booked');
    },
  },
];

/** Two strategies sell the last ticket: one has decided and not yet written when the other begins. */
export async function sellLastTicket(
  { here, there, rows }: Parameters<ConformanceCase['run']>[0],
  first: string,
  second: string,
) {
  const eventId = await rows.newEvent(1);
  const { booking: slow } = await bookInRaceWindow(here, first, eventId, { raceWindowMs: 200 });
  const fast = book(strategyOf(there, second), bookingRequest(eventId));
  const outcomes = (await Promise.all([slow, fast])).map(({ code }) => code);
  const sold = outcomes.filter((code) => code === 'booked').length;
  const { length: rowsLeft } = await rows.rowsOf(eventId);
  const { available } = await rows.event(eventId);
  const isExact = sold <= 1 && rowsLeft === sold && available === 1 - sold;
  return { first, second, outcomes, rows: rowsLeft, available, isExact };
}
