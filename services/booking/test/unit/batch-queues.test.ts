import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import {
  createBatchQueues,
  type BatchQueueOptions,
  type Gathered,
} from '#src/booking/batching/batch-queues.ts';
import type { Pending } from '#src/booking/batching/pending.ts';
import type { Outcome } from '#src/booking/strategy.ts';

import { pendingRequest } from '../support/pending.ts';

interface Decision {
  gathered: Gathered;
  end: PromiseWithResolvers<void>;
}

/** Queues whose batches are decided when the test says so. */
function handDecided(limits: Pick<BatchQueueOptions, 'maxBatch' | 'maxWaiting'> = {}) {
  const decisions: Decision[] = [];
  const queues = createBatchQueues({
    decide(gathered) {
      const end = Promise.withResolvers<void>();
      decisions.push({ gathered, end });
      return end.promise;
    },
    ...limits,
  });

  return {
    queues,
    /** The next batch that is to be decided. */
    async next(): Promise<Decision> {
      for (let turns = 0; turns < 10 && decisions.length === 0; turns += 1) await turn();
      const first = decisions.shift();
      if (first === undefined) throw new Error('nothing was begun');
      return first;
    },
    begun: async () => {
      await turn();
      await turn();
      return decisions.length;
    },
    add(customer: string, fields: Parameters<typeof pendingRequest>[1] & { eventId?: number } = {}) {
      const { eventId = 1, ...others } = fields;
      const { pending, outcome } = pendingRequest(eventId, { customer, ...others });
      queues.enqueue(pending);
      return outcome;
    },
  };
}

const booked: Outcome = { code: 'booked', fencingToken: 1 };

function customers(batch: readonly Pending[]): string[] {
  return batch.map(({ request }) => request.customer);
}

function bookAll({ gathered, end }: Decision): string[] {
  const batch = gathered.take();
  for (const pending of batch) pending.settle(booked);
  end.resolve();
  return customers(batch);
}

test('what arrives while a batch is being decided forms the next batch, in arrival order', async () => {
  const { add, next, begun } = handDecided();
  const first = add('a');
  const one = await next();
  expect(customers(one.gathered.take())).toEqual(['a']);
  const later = ['b', 'c', 'd'].map((customer) => add(customer));
  expect(await begun(), 'one batch of an event at a time').toBe(0);
  one.end.resolve();

  expect(bookAll(await next())).toEqual(['b', 'c', 'd']);
  expect(await Promise.all(later)).toEqual([booked, booked, booked]);
  await expect(Promise.race([first, turn('still open')])).resolves.toBe('still open');
});

test('a request that arrives before the batch is taken is still part of it', async () => {
  const { add, next } = handDecided();
  void add('a');
  const decision = await next();
  void add('b');
  expect(bookAll(decision)).toEqual(['a', 'b']);
});

test('a request that arrives after the batch was taken is not decided by what that batch has read', async () => {
  const { add, next } = handDecided();
  void add('a');
  const one = await next();
  one.gathered.take();
  const late = add('late');
  one.end.resolve();
  const two = await next();
  await expect(Promise.race([late, turn('still open')])).resolves.toBe('still open');
  expect(bookAll(two)).toEqual(['late']);
});

test('a batch takes those along who have reached the process when the one before it ends, for some turns', async () => {
  const first = Promise.withResolvers<void>();
  const batches: string[][] = [];
  const queues = createBatchQueues({
    decide({ take }) {
      batches.push(customers(take()));
      return batches.length === 1 ? first.promise : Promise.resolve();
    },
  });
  const add = (customer: string) => queues.enqueue(pendingRequest(1, { customer }).pending);
  add('a');
  await turn();
  first.resolve();
  for (const customer of ['b', 'c', 'd', 'e', 'f', 'g']) {
    add(customer);
    await turn();
  }
  await turn();
  expect(batches[0]).toEqual(['a']);
  expect(batches[1]?.slice(0, 2), 'it gathered for longer than one turn').toEqual(['b', 'c']);
  expect(batches[1], 'and not for as long as somebody comes').not.toContain('g');
});

test('events do not wait for each other', async () => {
  const { add, next } = handDecided();
  void add('a', { eventId: 1 });
  void add('b', { eventId: 2 });
  const [one, two] = [await next(), await next()];
  expect(bookAll(two)).toEqual(['b']);
  expect(bookAll(one)).toEqual(['a']);
});

test('a batch has a limit, and the rest forms the next one', async () => {
  const { add, next } = handDecided({ maxBatch: 2 });
  for (const customer of ['a', 'b', 'c']) void add(customer);
  expect(bookAll(await next())).toEqual(['a', 'b']);
  expect(bookAll(await next())).toEqual(['c']);
});

test('all that wait can be taken at once, whatever their number', async () => {
  const { add, next, queues } = handDecided({ maxBatch: 2 });
  for (const customer of ['a', 'b', 'c']) void add(customer);
  const { gathered } = await next();
  expect(customers(gathered.takeAll())).toEqual(['a', 'b', 'c']);
  expect(queues.waiting).toBe(0);
});

test('a full queue refuses at once, over all events, and has room again once a batch was taken', async () => {
  const { add, next, queues } = handDecided({ maxWaiting: 2 });
  void add('a');
  void add('b');
  expect(await add('c')).toMatchObject({ code: 'busy' });
  expect(await add('d', { eventId: 2 })).toMatchObject({ code: 'busy' });
  expect(bookAll(await next())).toEqual(['a', 'b']);
  expect(queues.waiting).toBe(0);
  void add('e');
  expect(bookAll(await next())).toEqual(['e']);
});

test('a request whose caller has gone is dropped before it is booked', async () => {
  const { add, next } = handDecided();
  const caller = new AbortController();
  const gone = add('gone', { signal: caller.signal });
  void add('here');
  const decision = await next();
  caller.abort();
  expect(bookAll(decision)).toEqual(['here']);
  expect(await gone).toMatchObject({ code: 'busy' });
});

test('a request whose time ran out before its batch was taken is refused, not booked late', async () => {
  const { add, next } = handDecided();
  const late = add('late', { deadlineMs: performance.now() });
  expect(bookAll(await next())).toEqual([]);
  expect(await late).toMatchObject({ code: 'busy' });
});

test('who may be booked already is unknown at the end, and not busy', async () => {
  const { add, next } = handDecided();
  const late = add('b', { isInDoubt: true, deadlineMs: performance.now() });
  expect(bookAll(await next())).toEqual([]);
  expect(await late).toEqual({ code: 'unknown' });
});

test('those whose time is over can be given up, and the others stay in their order', async () => {
  const { add, next, queues } = handDecided();
  const old = add('old', { deadlineMs: performance.now() + 5 });
  void add('young');
  const { gathered, end } = await next();
  void add('younger');
  await sleep(10);
  gathered.dropExpired();
  expect(await old).toMatchObject({ code: 'busy' });
  expect(queues.waiting).toBe(2);
  end.resolve();
  expect(bookAll(await next())).toEqual(['young', 'younger']);
  expect(queues.waiting).toBe(0);
});
