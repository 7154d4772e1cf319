import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { book } from '#src/booking/book.ts';
import type { Context } from '#src/context.ts';
import { STRATEGY_NAMES } from '#src/contract.ts';

import { openHouse, openTestContext, strategyOf, untilReady, type House } from '../support/house.ts';
import { startQuorum } from '../support/quorum.ts';
import { bookingRequest } from '../support/requests.ts';

/** The connection is lost while a booking commits: what is answered must be what is true, or "unknown". */

const opened = new AsyncDisposableStack();
let house: House;
let proxy: FaultProxy;
let context: Context;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const quorum = opened.use(await startQuorum());
  proxy = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  context = opened.use(
    openTestContext({
      DATABASE_URL: proxy.through(house.databaseUrl),
      REDIS_URL: inject('redisUrl'),
      QUORUM_REDIS_URLS: quorum.urls,
    }),
  );
  await untilReady(context);
});

afterAll(() => opened.disposeAsync());

/** What makes a booking final on the wire: COMMIT, or a statement that commits by itself. */
function isFinal(request: Buffer): boolean {
  const text = request.toString('latin1');
  return text.includes('commit\0') || /with \w+ as [^]*update inventory[^]*insert into bookings/.test(text);
}

describe.each(STRATEGY_NAMES)('%s', (name) => {
  test('a commit whose answer is lost is found, and booked once', async () => {
    const eventId = await house.newEvent(3);
    const { dropped } = proxy.dropReplies(1, { matching: isFinal });
    const request = bookingRequest(eventId, { quantity: 2 });
    const outcome = await book(strategyOf(context, name), request);
    await proxy.heal();

    expect(dropped, 'the fault has happened').toHaveLength(1);
    expect(outcome.code).toBe('booked');
    expect((await house.rowsOf(eventId)).map(({ id }) => id)).toEqual([request.bookingId]);
    expect(await house.event(eventId)).toMatchObject({ available: 1, booked: 2 });
  });
});

describe('a commit that never reaches Postgres', () => {
  test.each(STRATEGY_NAMES.filter((name) => name !== 'atomic-update' && !name.startsWith('batched-')))(
    'is reported as not written by %s, and is not',
    async (name) => {
      const eventId = await house.newEvent(3);
      cutBefore(isFinal);
      const outcome = await book(strategyOf(context, name), bookingRequest(eventId));
      await proxy.heal();
      expect(outcome.code).toBe('unavailable');
      expect(await house.rowsOf(eventId)).toEqual([]);
      expect(await house.event(eventId)).toMatchObject({ available: 3, booked: 0 });
    },
  );

  test('stays unknown to a statement without a transaction, which might still arrive', async () => {
    const eventId = await house.newEvent(3);
    cutBefore(isFinal);
    const outcome = await book(strategyOf(context, 'atomic-update'), bookingRequest(eventId));
    await proxy.heal();
    expect(outcome.code).toBe('unknown');
  });

  test.each(['batched-lock', 'batched-update'] as const)(
    'is booked by %s in another attempt',
    async (name) => {
      const eventId = await house.newEvent(3);
      cutBefore(isFinal);
      const outcome = await book(strategyOf(context, name), bookingRequest(eventId));
      await proxy.heal();
      expect(outcome.code).toBe('booked');
      expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 1 });
    },
  );
});

test('a commit that cannot be looked up is unknown, never failed', async () => {
  const eventId = await house.newEvent(3);
  const request = bookingRequest(eventId);
  let refused: Promise<void> | undefined;
  const { done } = proxy.dropReplies(1, { matching: isFinal });
  void done.then(() => (refused = proxy.refuse()));
  const outcome = await book(strategyOf(context, 'row-lock'), request);
  await refused;
  await proxy.heal();
  expect(outcome.code).toBe('unknown');
  expect((await house.rowsOf(eventId)).map(({ id }) => id)).toEqual([request.bookingId]);
});

test('a connection lost before the commit means that nothing was written', async () => {
  const eventId = await house.newEvent(3);
  cutBefore((sent) => sent.includes('insert into "bookings"'));
  const outcome = await book(strategyOf(context, 'row-lock'), bookingRequest(eventId));
  await proxy.heal();
  expect(outcome.code).toBe('unavailable');
  expect(await house.event(eventId)).toMatchObject({ available: 3, booked: 0 });
});

/** Loses all connections just before the first such request would have gone through. */
function cutBefore(matching: (request: Buffer) => boolean): void {
  let isCut = false;
  proxy.dropReplies(1, {
    matching(request) {
      if (!isCut && matching(request)) {
        isCut = true;
        proxy.cut();
      }
      return false;
    },
  });
}
