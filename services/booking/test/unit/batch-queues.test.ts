import { expect, test } from 'vitest';

import { createBatchQueues } from '#src/booking/batching/batch-queues.ts';

interface Request {
  id: number;
  signal?: AbortSignal;
}

/** Queues whose batches are decided when the test says so. */
function handDecided(limits: { maxBatch?: number; maxWaiting?: number; maxWaitMs?: number } = {}) {
  const decisions: { take: () => readonly Request[]; finish: PromiseWithResolvers<readonly string[]> }[] = [];
  let arrived = Promise.withResolvers<void>();
  const queues = createBatchQueues<Request, string>({
    decide(_key, take) {
      const finish = Promise.withResolvers<readonly string[]>();
      decisions.push({ take, finish });
      arrived.resolve();
      return finish.promise;
    },
    busy: 'busy',
    maxWaitMs: 10_000,
    ...limits,
  });
  return {
    queues,
    /** The next batch that asks to be decided. */
    async next() {
      if (decisions.length === 0) await arrived.promise;
      arrived = Promise.withResolvers();
      const decision = decisions.shift();
      if (decision === undefined) throw new Error('no batch');
      return decision;
    },
  };
}

test('what arrives while a batch is being decided forms the next batch, in arrival order', async () => {
  const { queues, next } = handDecided();
  const first = queues.enqueue(1, { id: 1 });
  const one = await next();
  expect(one.take().map(({ id }) => id)).toEqual([1]);

  const later = [2, 3, 4].map((id) => queues.enqueue(1, { id }));
  one.finish.resolve(['one']);
  expect(await first).toBe('one');

  const two = await next();
  expect(two.take().map(({ id }) => id)).toEqual([2, 3, 4]);
  two.finish.resolve(['two', 'three', 'four']);
  expect(await Promise.all(later)).toEqual(['two', 'three', 'four']);
});

test('a request that arrives before the batch is taken is still part of it', async () => {
  const { queues, next } = handDecided();
  const early = queues.enqueue(1, { id: 1 });
  const { take, finish } = await next();
  const late = queues.enqueue(1, { id: 2 });
  expect(take()).toHaveLength(2);
  finish.resolve(['a', 'b']);
  expect(await Promise.all([early, late])).toEqual(['a', 'b']);
});

test('events do not wait for each other', async () => {
  const { queues, next } = handDecided();
  const stuck = queues.enqueue(1, { id: 1 });
  const free = queues.enqueue(2, { id: 2 });
  const one = await next();
  const two = await next();
  two.take();
  two.finish.resolve(['free']);
  expect(await free).toBe('free');
  one.take();
  one.finish.resolve(['late']);
  expect(await stuck).toBe('late');
});

test('a batch has a limit, and the rest forms the next one', async () => {
  const { queues, next } = handDecided({ maxBatch: 2 });
  const outcomes = [1, 2, 3].map((id) => queues.enqueue(1, { id }));
  const one = await next();
  expect(one.take()).toHaveLength(2);
  one.finish.resolve(['a', 'b']);
  const two = await next();
  expect(two.take()).toHaveLength(1);
  two.finish.resolve(['c']);
  expect(await Promise.all(outcomes)).toEqual(['a', 'b', 'c']);
});

test('a full queue refuses at once, and has room again once a batch was taken', async () => {
  const { queues, next } = handDecided({ maxWaiting: 2 });
  const inside = [1, 2].map((id) => queues.enqueue(1, { id }));
  expect(await queues.enqueue(1, { id: 3 })).toBe('busy');
  expect(await queues.enqueue(2, { id: 3 })).toBe('busy');

  const one = await next();
  one.take();
  expect(queues.waiting).toBe(0);
  const again = queues.enqueue(1, { id: 4 });
  one.finish.resolve(['a', 'b']);
  const two = await next();
  two.take();
  two.finish.resolve(['c']);
  expect(await Promise.all([...inside, again])).toEqual(['a', 'b', 'c']);
});

test('a request whose caller has gone is dropped before it is booked', async () => {
  const { queues, next } = handDecided();
  const caller = new AbortController();
  const gone = queues.enqueue(1, { id: 1, signal: caller.signal });
  const here = queues.enqueue(1, { id: 2 });
  const { take, finish } = await next();
  caller.abort();
  expect(take().map(({ id }) => id)).toEqual([2]);
  finish.resolve(['booked']);
  expect(await here).toBe('booked');
  expect(await gone).toBe('busy');
});

test('a request whose time ran out before its batch was taken is refused, not booked late', async () => {
  const { queues, next } = handDecided({ maxWaitMs: 0 });
  const late = queues.enqueue(1, { id: 1 });
  const { take, finish } = await next();
  expect(take()).toEqual([]);
  finish.resolve([]);
  expect(await late).toBe('busy');
});

test('a batch that fails fails for those in it, and the next one is decided all the same', async () => {
  const { queues, next } = handDecided();
  const first = queues.enqueue(1, { id: 1 });
  const one = await next();
  one.take();
  const second = queues.enqueue(1, { id: 2 });
  one.finish.reject(new Error('no lock'));
  await expect(first).rejects.toThrow('no lock');

  const two = await next();
  two.take();
  two.finish.resolve(['booked']);
  expect(await second).toBe('booked');
});

test('a decision that never took anything fails for all that wait, so that nobody hangs', async () => {
  const { queues, next } = handDecided();
  const waiting = queues.enqueue(1, { id: 1 });
  const { finish } = await next();
  finish.reject(new Error('no Redis'));
  await expect(waiting).rejects.toThrow('no Redis');
  expect(queues.waiting).toBe(0);
});
