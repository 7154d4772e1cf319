import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { createBookTogether, type Sendable } from '#src/booking/batching/book-together.ts';
import { decideBatch, type Guard } from '#src/booking/batching/decide-batch.ts';
import type { Pending } from '#src/booking/batching/pending.ts';
import { createRowWaits } from '#src/booking/batching/row-waits.ts';
import { cancel } from '#src/booking/cancel.ts';
import { takeStockAndInsertAll } from '#src/storage/batches.ts';
import { findBooking } from '#src/storage/bookings.ts';
import { KeyTakenError } from '#src/storage/failure.ts';
import { lockStock } from '#src/storage/inventory.ts';
import { openPool, type PooledDb } from '#src/storage/pool.ts';

import { createHandLock, type HandLock } from '../support/hand-lock.ts';
import { openHouse, type House } from '../support/house.ts';
import { pendingRequest } from '../support/pending.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** One batch at a time, on a real Postgres, under leases that are lost when the test says so. */

const opened = new AsyncDisposableStack();
let house: House;
let proxy: FaultProxy;
let db: PooledDb;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  proxy = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  const pool = openPool({ url: proxy.through(house.databaseUrl), max: 4, applicationName: 'decides' });
  db = pool;
  opened.defer(() => pool.destroy());
});

afterAll(() => opened.disposeAsync());

const unguarded: Guard = { token: null, assertHeld() {}, async refused() {}, release() {} };

function depsOf(locks: HandLock | undefined) {
  const rowWaits = createRowWaits(2);
  return {
    db,
    strategy: locks === undefined ? 'batched-update' : 'batched-lock',
    instanceId: 'me',
    bookTogether: createBookTogether(db, rowWaits, 2),
    rowWaits,
    onRetry: () => {},
  } as const;
}

/** Decides a batch as `batched-lock` does, under leases by hand; without locks as `batched-update` does. */
async function decide(eventId: number, batch: readonly Pending[], locks?: HandLock): Promise<void> {
  const nextGuard = async ({ tokenAbove }: { tokenAbove?: number | undefined }): Promise<Guard> => {
    if (locks === undefined) return unguarded;
    const lease = await locks.acquire('by hand', tokenAbove === undefined ? {} : { tokenAbove });
    return {
      token: lease.token,
      assertHeld: () => lease.assertHeld(),
      refused: () => lease.extend(),
      release: () => void lease.release(),
    };
  };
  const options = { eventId, guard: await nextGuard({}), nextGuard, take: () => batch };
  await decideBatch(depsOf(locks), options);
}

const idsOf = (...batch: { pending: Pending }[]) =>
  new Set(batch.map(({ pending }) => pending.request.bookingId));

async function bookedIds(eventId: number): Promise<Set<string>> {
  return new Set((await house.rowsOf(eventId)).map(({ id }) => id));
}

test('nobody is told "booked" before the commit: what the server refuses at COMMIT has failed', async () => {
  const eventId = await house.newEvent(5);
  await sql`
    create function refuse() returns trigger language plpgsql as $$ begin raise 'refused at COMMIT'; end $$`.execute(
    house.db,
  );
  await sql`
    create constraint trigger refuse after insert on bookings deferrable initially deferred
    for each row when (new.customer = 'refused at COMMIT') execute function refuse()`.execute(house.db);
  const refused = { customer: 'refused at COMMIT' };
  const locks = createHandLock();
  for (const raceWindowMs of [0, 1]) {
    const { pending, outcome } = pendingRequest(eventId, { ...refused, raceWindowMs });
    await Promise.all([
      expect(outcome).rejects.toThrow('refused at COMMIT'),
      decide(eventId, [pending], locks),
    ]);
  }
  expect(await house.event(eventId)).toMatchObject({ available: 5, booked: 0 });
  expect(
    locks.grants.map(({ isReleased }) => isReleased),
    'the lock is given back all the same',
  ).toEqual([true, true]);
});

describe('an attempt whose answer is lost', () => {
  test('is looked for, and what it booked is answered under its token', async () => {
    const eventId = await house.newEvent(5);
    const batch = [pendingRequest(eventId, { quantity: 2 }), pendingRequest(eventId, { customer: 'marked' })];
    const { dropped } = proxy.dropReplies(1, { matching: (sent) => sent.includes('marked') });
    const locks = createHandLock();
    await decide(
      eventId,
      batch.map(({ pending }) => pending),
      locks,
    );
    await proxy.heal();
    expect(dropped, 'the fault has happened').toHaveLength(1);
    for (const { outcome } of batch) expect(await outcome).toEqual({ code: 'booked', fencingToken: 1 });
    expect(locks.grants.map(({ token }) => token)).toEqual([1, 2]);
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 3 });
  });

  test('is looked for, and what did not fit then is not sold what was left', async () => {
    const eventId = await house.newEvent(3);
    const small = pendingRequest(eventId);
    const large = pendingRequest(eventId, { quantity: 5 });
    const { dropped } = proxy.dropReplies(1, { matching: (sent) => sent.includes('commit\0') });
    await decide(eventId, [small.pending, large.pending], createHandLock());
    await proxy.heal();
    expect(dropped, 'the fault has happened').toHaveLength(1);
    expect(await small.outcome).toEqual({ code: 'booked', fencingToken: 1 });
    expect(await large.outcome).toEqual({ code: 'sold_out' });
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 1 });
  });

  test('is looked for once the row is held: one that is still being committed is waited for and found', async () => {
    const eventId = await house.newEvent(1);
    const { pending, outcome } = pendingRequest(eventId, { isInDoubt: true });
    const late = await house.db.startTransaction().execute();
    await takeStockAndInsertAll(late, {
      eventId,
      token: 0,
      strategy: 'batched-lock',
      instanceId: 'me',
      bookings: [pending.request],
    });
    const decided = decide(eventId, [pending], createHandLock());
    await untilSomebodyWaits(house.db);
    await late.commit().execute();
    await decided;
    expect(await outcome).toEqual({ code: 'booked', fencingToken: 0 });
    expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 1 });
  });
});

test('what was booked long ago and is asked for again is answered as it was; the others are booked', async () => {
  const eventId = await house.newEvent(3);
  const [again, fresh] = [pendingRequest(eventId, { quantity: 2 }), pendingRequest(eventId)];
  const locks = createHandLock();
  await decide(eventId, [again.pending], locks);
  const second = Promise.withResolvers<unknown>();
  const repeated = { ...again.pending, isInDoubt: true, settle: second.resolve, fail: second.reject };
  await decide(eventId, [repeated, fresh.pending], locks);
  expect(await second.promise).toEqual({ code: 'booked', fencingToken: 1 });
  expect(await fresh.outcome).toEqual({ code: 'booked', fencingToken: 2 });
  expect(await house.event(eventId)).toMatchObject({ available: 0, booked: 3 });
});

test('a key that is taken is a reason to look, though nobody was in doubt', async () => {
  const eventId = await house.newEvent(5);
  const [again, fresh] = [pendingRequest(eventId), pendingRequest(eventId)];
  await decide(eventId, [again.pending]);
  const second = Promise.withResolvers<unknown>();
  const repeated = { ...again.pending, settle: second.resolve, fail: second.reject };
  await decide(eventId, [repeated, fresh.pending]);
  expect(await second.promise).toEqual({ code: 'booked', fencingToken: null });
  expect(await fresh.outcome).toEqual({ code: 'booked', fencingToken: null });
  expect(await house.event(eventId)).toMatchObject({ available: 3, booked: 2 });
});

test('a request that is in a batch twice is booked once, and nobody is the worse for it', async () => {
  const eventId = await house.newEvent(3);
  const [first, beside, large] = [
    pendingRequest(eventId),
    pendingRequest(eventId),
    pendingRequest(eventId, { quantity: 2 }),
  ];
  const twin = pendingRequest(eventId);
  const { requestId } = first.pending.request;
  const again = { ...twin.pending, request: { ...twin.pending.request, requestId } };
  const refusal = twin.outcome.catch((error: unknown) => error);
  await decide(eventId, [first.pending, again, beside.pending, large.pending]);
  expect(await first.outcome).toMatchObject({ code: 'booked' });
  expect(await beside.outcome).toMatchObject({ code: 'booked' });
  expect(await large.outcome).toEqual({ code: 'sold_out' });
  expect(await refusal).toBeInstanceOf(KeyTakenError);
  expect(await house.event(eventId)).toMatchObject({ available: 1, booked: 2 });
});

test('a key that is in a batch twice, or in the batches of two replicas at once, books once', async () => {
  const eventId = await house.newEvent(20);
  const keyed = (customer: string) => {
    const { pending, outcome } = pendingRequest(eventId, { customer });
    const request = { ...pending.request, idempotencyKey: 'same' };
    return { pending: { ...pending, request }, outcome: outcome.catch((error: unknown) => error) };
  };
  const plain = Array.from({ length: 4 }, () => pendingRequest(eventId));
  const batches = [
    [keyed('ada'), plain[0]!, keyed('ada'), keyed('eve'), plain[1]!],
    [plain[2]!, keyed('eve'), keyed('ada'), plain[3]!],
  ];
  await Promise.all(
    batches.map((batch) =>
      decide(
        eventId,
        batch.map(({ pending }) => pending),
      ),
    ),
  );
  for (const { outcome } of plain) expect(await outcome).toMatchObject({ code: 'booked' });
  const outcomes = await Promise.all(batches.flat().map(({ outcome }) => outcome));
  expect(outcomes.filter((outcome) => outcome instanceof KeyTakenError)).toHaveLength(3);
  expect(await house.event(eventId)).toMatchObject({ available: 14, booked: 6 });
});

test('whose request has made another booking is told so, and the others are booked', async () => {
  const eventId = await house.newEvent(9);
  const [first, second] = [pendingRequest(eventId), pendingRequest(eventId)];
  const others = [pendingRequest(eventId), pendingRequest(eventId)];
  await decide(eventId, [first.pending]);
  const request = { ...second.pending.request, requestId: first.pending.request.requestId };
  await Promise.all([
    expect(second.outcome).rejects.toThrow(KeyTakenError),
    decide(eventId, [others[0]!.pending, { ...second.pending, request }, others[1]!.pending]),
  ]);
  for (const { outcome } of others) expect(await outcome).toMatchObject({ code: 'booked' });
  expect(await bookedIds(eventId)).toEqual(idsOf(first, ...others));
});

test('a batch is taken when it is sent and not before, so that whoever came meanwhile is part of it', async () => {
  const eventId = await house.newEvent(5);
  const { pending, outcome } = pendingRequest(eventId);
  const room = Promise.withResolvers<void>();
  let isTaken = false;
  const bookTogether = createBookTogether(db, createRowWaits(1), 1);
  const deps = {
    ...depsOf(undefined),
    bookTogether: async (sendable: Sendable) => {
      await room.promise;
      return bookTogether(sendable);
    },
  };
  const take = () => {
    isTaken = true;
    return [pending];
  };
  const decided = decideBatch(deps, { eventId, guard: unguarded, nextGuard: async () => unguarded, take });
  expect(isTaken).toBe(false);
  room.resolve();
  await decided;
  expect(await outcome).toMatchObject({ code: 'booked' });
});

test.each([0, 1])(
  'a lease that is lost before it commits has booked nothing: the next one books (race window of %i ms)',
  async (raceWindowMs) => {
    const eventId = await house.newEvent(5);
    const { pending, outcome } = pendingRequest(eventId, { raceWindowMs });
    const locks = createHandLock();
    locks.loseNext(1);
    await decide(eventId, [pending], locks);
    expect(await outcome).toEqual({ code: 'booked', fencingToken: 2 });
    expect((await house.rowsOf(eventId)).map((row) => row.fencing_token)).toEqual([2]);
  },
);

test('a lease that is lost every time is refused as busy in the end, and nothing is written', async () => {
  const eventId = await house.newEvent(5);
  const { pending, outcome } = pendingRequest(eventId);
  const locks = createHandLock();
  locks.loseNext(Number.POSITIVE_INFINITY);
  await decide(eventId, [pending], locks);
  expect(await outcome).toMatchObject({ code: 'busy' });
  expect(await bookedIds(eventId)).toEqual(new Set());
});

test('a fence above our token is overtaken by the next lease', async () => {
  const eventId = await house.newEvent(5);
  await sql`update inventory set fence = 1000 where event_id = ${eventId}`.execute(house.db);
  const { pending, outcome } = pendingRequest(eventId);
  await decide(eventId, [pending], createHandLock());
  expect(await outcome).toEqual({ code: 'booked', fencingToken: 1_001 });
});

test('where stock ends in mid-batch, who came first is served first and a smaller one still fits', async () => {
  const eventId = await house.newEvent(3);
  const batch = [2, 2, 1].map((quantity) => pendingRequest(eventId, { quantity }));
  const [first, tooLate, small] = batch as [(typeof batch)[0], (typeof batch)[0], (typeof batch)[0]];
  await decide(
    eventId,
    batch.map(({ pending }) => pending),
    createHandLock(),
  );
  expect(await first.outcome).toMatchObject({ code: 'booked' });
  expect(await tooLate.outcome).toEqual({ code: 'sold_out' });
  expect(await small.outcome).toMatchObject({ code: 'booked' });
  expect(await bookedIds(eventId)).toEqual(idsOf(first, small));
});

describe('without a lock', () => {
  test('an answer that is lost is looked for, and what it booked is booked once', async () => {
    const eventId = await house.newEvent(5);
    const batch = [pendingRequest(eventId, { quantity: 2 }), pendingRequest(eventId, { customer: 'marked' })];
    const { dropped } = proxy.dropReplies(1, { matching: (sent) => sent.includes('marked') });
    await decide(
      eventId,
      batch.map(({ pending }) => pending),
    );
    await proxy.heal();
    expect(dropped, 'the fault has happened').toHaveLength(1);
    for (const { outcome } of batch) expect(await outcome).toEqual({ code: 'booked', fencingToken: null });
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 3 });
  });

  test('who is in doubt, not found and can not be served is unknown: the lost statement may still arrive', async () => {
    const eventId = await house.newEvent(1);
    const lost = pendingRequest(eventId, { quantity: 2, isInDoubt: true });
    await decide(eventId, [lost.pending]);
    expect(await lost.outcome).toEqual({ code: 'unknown' });
    expect(await bookedIds(eventId)).toEqual(new Set());
  });

  test('who is in doubt and not found is refused for good once another one of that statement is booked', async () => {
    const eventId = await house.newEvent(1);
    const large = pendingRequest(eventId, { quantity: 2, isInDoubt: true });
    const small = pendingRequest(eventId, { isInDoubt: true });
    await decide(eventId, [large.pending, small.pending]);
    expect(await large.outcome).toEqual({ code: 'sold_out' });
    expect(await small.outcome).toEqual({ code: 'booked', fencingToken: null });
  });

  test('a lost statement that arrives after its request was booked again and cancelled books nothing', async () => {
    const eventId = await house.newEvent(2);
    const { pending, outcome } = pendingRequest(eventId, { isInDoubt: true });
    await decide(eventId, [pending]);
    expect(await outcome).toMatchObject({ code: 'booked' });
    const { bookingId } = pending.request;
    const booking = await findBooking(house.db, bookingId);
    expect(await cancel(house.db, booking!, performance.now() + 5_000)).toBe(true);
    expect(await findBooking(house.db, bookingId)).toMatchObject({ state: 'cancelled' });

    const lost = { eventId, token: null, strategy: 'batched-update', instanceId: 'me' };
    const arrived = takeStockAndInsertAll(house.db, { ...lost, bookings: [pending.request] });
    await expect(arrived).rejects.toBeInstanceOf(KeyTakenError);
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 0 });
  });

  test('a fence that others have raised is none of its business', async () => {
    const eventId = await house.newEvent(1);
    await sql`update inventory set fence = 1000 where event_id = ${eventId}`.execute(house.db);
    const { pending, outcome } = pendingRequest(eventId);
    await decide(eventId, [pending]);
    expect(await outcome).toEqual({ code: 'booked', fencingToken: null });
  });
});

test.each(['with a lock', 'without'])(
  'what Postgres refuses fails alone, and the others of its batch are booked (%s)',
  async (how) => {
    const eventId = await house.newEvent(10);
    // Postgres has no text with a zero in it.
    const bad = pendingRequest(eventId, { customer: 'nul \0' });
    const good = Array.from({ length: 4 }, () => pendingRequest(eventId));
    const batch = [good[0]!, good[1]!, bad, good[2]!, good[3]!];
    await Promise.all([
      expect(bad.outcome).rejects.toMatchObject({ code: '22021' }),
      decide(
        eventId,
        batch.map(({ pending }) => pending),
        how === 'with a lock' ? createHandLock() : undefined,
      ),
    ]);
    for (const { outcome } of good) expect(await outcome).toMatchObject({ code: 'booked' });
    expect(await bookedIds(eventId)).toEqual(idsOf(...good));
  },
);

test.each(['with a lock', 'without'])(
  'where all rows that may be waited for are taken, a locked row is tried again until it is free (%s)',
  async (how) => {
    const eventId = await house.newEvent(1);
    const [first, second] = [pendingRequest(eventId), pendingRequest(eventId, { quantity: 1 })];
    const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
    const holding = Promise.withResolvers<void>();
    const holder = house.db.transaction().execute(async (trx) => {
      await lockStock(trx, eventId);
      holding.resolve();
      await letGo;
    });
    await holding.promise;
    const decided = decide(
      eventId,
      [first.pending, second.pending],
      how === 'with a lock' ? createHandLock() : undefined,
    );
    await untilSomebodyWaits(house.db);
    release();
    await Promise.all([holder, decided]);
    expect([await first.outcome, await second.outcome].map(({ code }) => code)).toEqual([
      'booked',
      'sold_out',
    ]);
  },
);
