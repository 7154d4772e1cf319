import { startFaultProxy, type FaultProxy } from '@lastseat/infra/servers';
import { LockTimeoutError } from '@lastseat/locking';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { createBookTogether } from '#src/booking/batching/book-together.ts';
import { decideBatch } from '#src/booking/batching/decide-batch.ts';
import type { Pending } from '#src/booking/batching/pending.ts';
import { takeStockAndInsertAll } from '#src/storage/batches.ts';
import { openPool } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';

import { createHandLock, type HandLock } from '../support/hand-lock.ts';
import { openHouse, type House } from '../support/house.ts';
import { pendingRequest } from '../support/pending.ts';
import { untilSomebodyWaits } from '../support/waiting-for-a-lock.ts';

/** One batch at a time, on a real Postgres, under leases that are lost when the test says so. */

const opened = new AsyncDisposableStack();
let house: House;
let proxy: FaultProxy;
let db: Db;

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  proxy = opened.use(await startFaultProxy(Number(new URL(house.databaseUrl).port)));
  const pool = openPool({ url: proxy.through(house.databaseUrl), max: 4, applicationName: 'decides' });
  db = pool;
  opened.defer(() => pool.destroy());
});

afterAll(() => opened.disposeAsync());

function depsWith(locks: Pick<HandLock, 'acquire'>) {
  const bookTogether = createBookTogether(db);
  return { db, locks, bookTogether, lockTtlMs: 3_000, onRetry: () => {}, onReleaseFailed: () => {} };
}

function decide(eventId: number, batch: readonly Pending[], locks: HandLock) {
  return decideBatch(depsWith(locks), eventId, () => batch, performance.now() + 3_000);
}

const idsOf = (...batch: { pending: Pending }[]) =>
  new Set(batch.map(({ pending }) => pending.request.bookingId));

async function bookedIds(eventId: number): Promise<Set<string>> {
  return new Set((await house.rowsOf(eventId)).map(({ id }) => id));
}

/** Breaks the connection just before the first such statement would have reached Postgres. */
function cutBefore(text: string): void {
  let isCut = false;
  proxy.dropReplies(1, {
    matching(sent) {
      if (!isCut && sent.includes(text)) {
        isCut = true;
        proxy.cut();
      }
      return false;
    },
  });
}

test('the batch is taken once the lock is held and not before, so that whoever came meanwhile is part of it', async () => {
  const eventId = await house.newEvent(5);
  const locks = createHandLock();
  const free = Promise.withResolvers<void>();
  const taken: string[] = [];
  const slow: Pick<HandLock, 'acquire'> = {
    async acquire(name, options) {
      await free.promise;
      return locks.acquire(name, options);
    },
  };
  const { pending, verdict } = pendingRequest(eventId);
  const decided = decideBatch(
    depsWith(slow),
    eventId,
    (grant) => {
      taken.push(grant);
      return [pending];
    },
    performance.now() + 3_000,
  );
  expect(taken).toEqual([]);
  free.resolve();
  expect(await verdict).toMatchObject({ code: 'booked' });
  expect(await decided).toBeUndefined();
  expect(taken, 'under the grant that it is booked under').toEqual(['me:1']);
});

const heldByAnother: Pick<HandLock, 'acquire'> = {
  acquire: () => Promise.reject(new LockTimeoutError({ lock: 'x', holder: 'other:3', waitMs: 0 })),
};
const takeNothing = () => expect.unreachable('it took what it cannot decide');

test('where another one holds the lock nothing is taken, and its grant is told', async () => {
  const deps = depsWith(heldByAnother);
  expect(await decideBatch(deps, 1, takeNothing, undefined)).toBe('other:3');
  await expect(decideBatch(deps, 1, takeNothing, performance.now())).rejects.toThrow(LockTimeoutError);
});

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
    const { pending, verdict } = pendingRequest(eventId, { ...refused, raceWindowMs });
    await Promise.all([
      expect(verdict).rejects.toThrow('refused at COMMIT'),
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
    for (const { verdict } of batch) expect(await verdict).toEqual({ code: 'booked', fencingToken: 1 });
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
    expect(await small.verdict).toEqual({ code: 'booked', fencingToken: 1 });
    expect(await large.verdict).toEqual({ code: 'sold_out', left: { available: 2, epoch: 1 } });
    expect(await house.event(eventId)).toMatchObject({ available: 2, booked: 1 });
  });

  test('is not repeated for another replica, which has asked under that one grant and looks by itself', async () => {
    const eventId = await house.newEvent(5);
    const [ours, theirs] = [
      pendingRequest(eventId, { customer: 'marked' }),
      pendingRequest(eventId, { grant: 'me:1' }),
    ];
    cutBefore('marked');
    await decide(eventId, [theirs.pending, ours.pending], createHandLock());
    await proxy.heal();
    expect(await theirs.verdict).toEqual({ code: 'unsettled' });
    expect(await ours.verdict).toEqual({ code: 'booked', fencingToken: 2 });
    expect(await bookedIds(eventId)).toEqual(idsOf(ours));
  });

  test('is looked for once the row is held: one that is still being committed is waited for and found', async () => {
    const eventId = await house.newEvent(5);
    const { pending, verdict } = pendingRequest(eventId, { mayBeBooked: true });
    const late = await house.db.startTransaction().execute();
    await takeStockAndInsertAll(late, {
      eventId,
      token: 0,
      strategy: 'batched-lock',
      bookings: [{ ...pending.request, instanceId: 'me' }],
    });
    const decided = decide(eventId, [pending], createHandLock());
    await untilSomebodyWaits(house.db);
    await late.commit().execute();
    await decided;
    expect(await verdict).toEqual({ code: 'booked', fencingToken: 0 });
    expect(await house.event(eventId)).toMatchObject({ available: 4, booked: 1 });
  });
});

test('what was booked long ago and is asked for again is answered as it was; the others are booked', async () => {
  const eventId = await house.newEvent(5);
  const [again, fresh] = [pendingRequest(eventId), pendingRequest(eventId)];
  const locks = createHandLock();
  await decide(eventId, [again.pending], locks);
  const second = Promise.withResolvers<unknown>();
  const repeated = { ...again.pending, mayBeBooked: false, settle: second.resolve, fail: second.reject };
  await decide(eventId, [repeated, fresh.pending], locks);
  expect(await second.promise).toEqual({ code: 'booked', fencingToken: 1 });
  expect(await fresh.verdict).toEqual({ code: 'booked', fencingToken: 2 });
  expect(await house.event(eventId)).toMatchObject({ available: 3, booked: 2 });
});

test.each([0, 1])(
  'a lease that is lost before it commits has booked nothing: the next one books (race window of %i ms)',
  async (raceWindowMs) => {
    const eventId = await house.newEvent(5);
    const { pending, verdict } = pendingRequest(eventId, { raceWindowMs });
    const locks = createHandLock();
    locks.loseNext(1);
    await decide(eventId, [pending], locks);
    expect(await verdict).toEqual({ code: 'booked', fencingToken: 2 });
    expect((await house.rowsOf(eventId)).map((row) => row.fencing_token)).toEqual([2]);
  },
);

test('a lease that is lost every time is refused as busy in the end, and nothing is written', async () => {
  const eventId = await house.newEvent(5);
  const { pending, verdict } = pendingRequest(eventId);
  const locks = createHandLock();
  locks.loseNext(Number.POSITIVE_INFINITY);
  await decide(eventId, [pending], locks);
  expect(await verdict).toMatchObject({ code: 'busy' });
  expect(await bookedIds(eventId)).toEqual(new Set());
});

test('a fence above our token is overtaken by the next lease', async () => {
  const eventId = await house.newEvent(5);
  await sql`update inventory set fence = 1000 where event_id = ${eventId}`.execute(house.db);
  const { pending, verdict } = pendingRequest(eventId);
  await decide(eventId, [pending], createHandLock());
  expect(await verdict).toEqual({ code: 'booked', fencingToken: 1_001 });
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
  expect(await first.verdict).toMatchObject({ code: 'booked' });
  expect(await tooLate.verdict).toEqual({ code: 'sold_out', left: { available: 0, epoch: 1 } });
  expect(await small.verdict).toMatchObject({ code: 'booked' });
  expect(await bookedIds(eventId)).toEqual(idsOf(first, small));
});
