import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { createBatchQueues, type BatchQueueOptions } from '#src/booking/batching/batch-queues.ts';
import type { Pending, Verdict } from '#src/booking/batching/pending.ts';

import { pendingRequest } from '../support/pending.ts';

class TimeoutError extends Error {}

interface Decision {
  take(grant?: string): readonly Pending[];
  /** Whether it stands in line for the lock. */
  waits: boolean;
  end: PromiseWithResolvers<string | undefined>;
}

interface Asked {
  grant: string;
  batch: readonly Pending[];
  end: PromiseWithResolvers<readonly Pending[]>;
}

async function next<T>(list: T[]): Promise<T> {
  for (let turns = 0; turns < 10 && list.length === 0; turns += 1) await turn();
  const first = list.shift();
  if (first === undefined) throw new Error('nothing was begun');
  return first;
}

/** Queues whose batches are decided, here and there, when the test says so. We are `me`. */
function handDecided(limits: Pick<BatchQueueOptions, 'maxBatch' | 'maxWaiting'> = {}) {
  const decisions: Decision[] = [];
  const asked: Asked[] = [];
  const queues = createBatchQueues({
    clientId: 'me',
    decide(_eventId, take, waitUntilMs) {
      const end = Promise.withResolvers<string | undefined>();
      decisions.push({ take: (grant = 'me:1') => take(grant), waits: waitUntilMs !== undefined, end });
      return end.promise;
    },
    delegate(_eventId, grant, batch) {
      const end = Promise.withResolvers<readonly Pending[]>();
      asked.push({ grant, batch, end });
      return end.promise;
    },
    isTimeout: (error) => error instanceof TimeoutError,
    ...limits,
  });

  return {
    queues,
    /** The next batch that is to be decided here. */
    nextHere: () => next(decisions),
    /** The next batch that another replica is asked to decide. */
    nextThere: () => next(asked),
    begun: async () => {
      await turn();
      await turn();
      return decisions.length + asked.length;
    },
    add(customer: string, fields: Parameters<typeof pendingRequest>[1] & { eventId?: number } = {}) {
      const { eventId = 1, ...others } = fields;
      const { pending, verdict } = pendingRequest(eventId, { customer, ...others });
      queues.enqueue(pending);
      return verdict;
    },
  };
}

const booked: Verdict = { code: 'booked', fencingToken: 1 };

function customers(batch: readonly Pending[]): string[] {
  return batch.map(({ request }) => request.customer);
}

function bookAll({ take, end }: Decision): string[] {
  const batch = take();
  for (const pending of batch) pending.settle(booked);
  end.resolve(undefined);
  return customers(batch);
}

test('what arrives while a batch is being decided forms the next batch, in arrival order', async () => {
  const { add, nextHere, begun } = handDecided();
  const first = add('a');
  const one = await nextHere();
  expect(customers(one.take())).toEqual(['a']);
  const later = ['b', 'c', 'd'].map((customer) => add(customer));
  expect(await begun(), 'one batch of an event at a time').toBe(0);
  one.end.resolve(undefined);

  expect(bookAll(await nextHere())).toEqual(['b', 'c', 'd']);
  expect(await Promise.all(later)).toEqual([booked, booked, booked]);
  await expect(Promise.race([first, turn('still open')])).resolves.toBe('still open');
});

test('a request that arrives before the batch is taken is still part of it', async () => {
  const { add, nextHere } = handDecided();
  void add('a');
  const decision = await nextHere();
  void add('b');
  expect(bookAll(decision)).toEqual(['a', 'b']);
});

test('events do not wait for each other', async () => {
  const { add, nextHere } = handDecided();
  void add('a', { eventId: 1 });
  void add('b', { eventId: 2 });
  const [one, two] = [await nextHere(), await nextHere()];
  expect(bookAll(two)).toEqual(['b']);
  expect(bookAll(one)).toEqual(['a']);
});

test('a batch has a limit, and the rest forms the next one', async () => {
  const { add, nextHere } = handDecided({ maxBatch: 2 });
  for (const customer of ['a', 'b', 'c']) void add(customer);
  expect(bookAll(await nextHere())).toEqual(['a', 'b']);
  expect(bookAll(await nextHere())).toEqual(['c']);
});

test('a full queue refuses at once, over all events, and has room again once a batch was taken', async () => {
  const { add, nextHere, queues } = handDecided({ maxWaiting: 2 });
  void add('a');
  void add('b');
  expect(await add('c')).toMatchObject({ code: 'busy' });
  expect(await add('d', { eventId: 2 })).toMatchObject({ code: 'busy' });
  expect(bookAll(await nextHere())).toEqual(['a', 'b']);
  expect(queues.waiting).toBe(0);
  void add('e');
  expect(bookAll(await nextHere())).toEqual(['e']);
});

test('a request whose caller has gone is dropped before it is booked', async () => {
  const { add, nextHere } = handDecided();
  const caller = new AbortController();
  const gone = add('gone', { signal: caller.signal });
  void add('here');
  const decision = await nextHere();
  caller.abort();
  expect(bookAll(decision)).toEqual(['here']);
  expect(await gone).toMatchObject({ code: 'busy' });
});

test('a request whose time ran out before its batch was taken is refused, not booked late', async () => {
  const { add, nextHere } = handDecided();
  const late = add('late', { deadlineMs: performance.now() });
  expect(bookAll(await nextHere())).toEqual([]);
  expect(await late).toMatchObject({ code: 'busy' });
});

test('a lock that was not obtained in time is the end of those whose time is over, and of nobody else', async () => {
  const { add, nextHere } = handDecided();
  const old = add('old', { deadlineMs: performance.now() + 5 });
  void add('young');
  const decision = await nextHere();
  await sleep(10);
  decision.end.reject(new TimeoutError());
  expect(await old).toMatchObject({ code: 'busy' });
  const next = await nextHere();
  expect(next.waits).toBe(true);
  expect(bookAll(next)).toEqual(['young']);
});

test('a broken server fails all that wait, so that nobody hangs, and the next one is decided all the same', async () => {
  const { add, nextHere, queues } = handDecided();
  const waiting = add('a');
  (await nextHere()).end.reject(new Error('no Redis'));
  await expect(waiting).rejects.toThrow('no Redis');
  expect(queues.waiting).toBe(0);
  void add('b');
  expect(bookAll(await nextHere())).toEqual(['b']);
});

test('who may be booked already is unknown at the end, never failed and never busy', async () => {
  const { add, nextHere } = handDecided();
  const failed = add('a', { mayBeBooked: true });
  (await nextHere()).end.reject(new Error('no Redis'));
  expect(await failed).toEqual({ code: 'unknown' });
  const late = add('b', { mayBeBooked: true, deadlineMs: performance.now() });
  expect(bookAll(await nextHere())).toEqual([]);
  expect(await late).toEqual({ code: 'unknown' });
});

test('where another replica holds the lock it is asked, and asked again without a look at the lock', async () => {
  const { add, nextHere, nextThere, begun } = handDecided();
  const first = add('a');
  const look = await nextHere();
  expect(look.waits, 'it leaves the holder in peace').toBe(false);
  look.end.resolve('other:7');

  const one = await nextThere();
  expect([one.grant, customers(one.batch)]).toEqual(['other:7', ['a']]);
  const [b, c] = [add('b'), add('c')];
  const two = await nextThere();
  expect(customers(two.batch)).toEqual(['b', 'c']);
  void add('d');
  expect(await begun(), 'two batches are under way').toBe(0);

  for (const { batch, end } of [one, two]) {
    for (const pending of batch) pending.settle(booked);
    end.resolve([]);
  }
  expect(await Promise.all([first, b, c])).toEqual([booked, booked, booked]);
  expect(customers((await nextThere()).batch)).toEqual(['d']);
});

test('who was turned away stands in line, before those who came later', async () => {
  const { add, nextHere, nextThere } = handDecided();
  void add('a');
  (await nextHere()).end.resolve('other:7');
  const { batch, end } = await nextThere();
  void add('b');
  end.resolve(batch);
  const line = await nextHere();
  expect(line.waits).toBe(true);
  void add('c');
  expect(bookAll(line)).toEqual(['a', 'b', 'c']);
});

test('a holder that was not heard of for a second is looked for again', async () => {
  const { add, nextHere, nextThere } = handDecided();
  void add('a');
  (await nextHere()).end.resolve('other:7');
  const { batch, end } = await nextThere();
  for (const pending of batch) pending.settle(booked);
  end.resolve([]);
  await sleep(1_050);
  void add('b');
  expect((await nextHere()).waits).toBe(false);
});

test('another replica’s request is booked under the grant that it named, together with ours', async () => {
  const { add, nextHere, queues } = handDecided();
  void add('ours');
  const one = await nextHere();
  one.take('me:1');
  expect([queues.holds(1, 'me:1'), queues.holds(1, 'me:2'), queues.holds(2, 'me:1')]).toEqual([
    true,
    false,
    false,
  ]);
  void add('theirs', { grant: 'me:1' });
  void add('ours too');
  one.end.resolve(undefined);
  const two = await nextHere();
  expect(customers(two.take('me:1'))).toEqual(['theirs', 'ours too']);
});

test('another replica’s request is declined under any other grant, or where we do not get the lock', async () => {
  const { add, nextHere, nextThere } = handDecided();
  const stale = add('theirs', { grant: 'me:1' });
  void add('ours');
  const here = await nextHere();
  expect(customers(here.take('me:2'))).toEqual(['ours']);
  here.end.resolve(undefined);
  expect(await stale).toEqual({ code: 'declined' });

  const homeless = add('theirs', { grant: 'me:2' });
  void add('ours');
  (await nextHere()).end.resolve('other:1');
  expect(await homeless).toEqual({ code: 'declined' });
  expect(customers((await nextThere()).batch)).toEqual(['ours']);
});

test('another replica’s request does not wait with ours for a lock that somebody else holds', async () => {
  const { add, nextHere } = handDecided();
  void add('ours');
  const homeless = add('theirs', { grant: 'me:1' });
  (await nextHere()).end.resolve('');
  const line = await nextHere();
  expect(line.waits).toBe(true);
  await expect(Promise.race([homeless, turn('still open')])).resolves.toEqual({ code: 'declined' });
  expect(bookAll(line)).toEqual(['ours']);
});
