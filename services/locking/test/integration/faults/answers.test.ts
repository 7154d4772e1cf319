import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import {
  openFaultLab,
  pollMs,
  reconnectMs,
  slackMs,
  ttlMs,
  type FaultLab,
  type Worker,
} from './fault-lab.ts';

// What may happen between a question and its answer.
let lab: FaultLab;
beforeAll(async () => {
  lab = await openFaultLab();
});
afterEach(() => lab.clear());
afterAll(() => lab[Symbol.asyncDispose]());

/** What nobody wants any more is passed on at once; if that is not heard, a TTL and a poll have to pass. */
const passedOnMs = ttlMs + 2 * pollMs + slackMs;

/** Takes the lock, does something that the room accepts, and still holds the lock. */
async function visit(worker: Worker): Promise<void> {
  expect(await worker.ask({ do: 'enter' })).toBe(true);
  expect(await worker.ask({ do: 'leave' })).toBe(true);
}

test('an acquire whose reply is lost gets the same grant when it is sent again, and leaves no second one', async () => {
  // On a busy machine it may take a second until it is sent again: by then the first grant must not have ended.
  const worker = await lab.start({ throughProxy: true, leaseMs: 30_000 });
  await worker.ask({ do: 'acquire' });
  await worker.ask({ do: 'release' });
  const loss = lab.proxy.dropReplies(1, { matching: (request) => request.includes('seat') });
  const asked = worker.ask({ do: 'acquire' });
  await loss.done;
  const [granted] = await lab.redis.hvals(lab.key);
  expect(String(await asked)).toBe(granted);
  await visit(worker);
  await worker.ask({ do: 'release' });
  expect(await lab.redis.exists(lab.key)).toBe(0);
  // A new connection, and the same question again.
  await lab.settle({ waitBoundMs: reconnectMs + slackMs });
});

test('a wait that is cancelled while the lock is handed to it passes the lock on', async () => {
  const [holder, waiter] = [await lab.start(), await lab.start()];
  const afterMs: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    await holder.ask({ do: 'acquire' });
    await visit(holder);
    const wait = waiter.ask({ do: 'acquire' }).then(
      async () => {
        await visit(waiter);
        await waiter.ask({ do: 'release' });
      },
      (error: Error) => expect(error.message).toContain('AbortError'),
    );
    await expect.poll(() => lab.redis.zcard(`${lab.key}:queue`), { interval: 1 }).toBe(1);
    const sinceMs = performance.now();
    // Sometimes the one is first, sometimes the other.
    const orders = [holder.ask({ do: 'release' }), waiter.ask({ do: 'cancel' })];
    await Promise.all([...orders, wait]);
    await holder.ask({ do: 'acquire' });
    afterMs.push(performance.now() - sinceMs);
    expect(afterMs.at(-1)).toBeLessThan(passedOnMs);
    await visit(holder);
    await holder.ask({ do: 'release' });
  }
  // Neither a TTL nor a poll has to pass, as a rule: a grant that nobody wants is given back at once.
  expect(afterMs.sort((a, b) => a - b)[15]).toBeLessThan(ttlMs);
  await lab.settle({ waitBoundMs: passedOnMs });
});

test('a renewal that is under way during the release does not bring the lock back', async () => {
  const [worker, next] = [await lab.start(), await lab.start()];
  async function comesNext(): Promise<void> {
    expect(await lab.redis.exists(lab.key)).toBe(0);
    await next.ask({ do: 'acquire' });
    await visit(next);
    await next.ask({ do: 'release' });
  }
  for (let round = 0; round < 30; round += 1) {
    await worker.ask({ do: 'acquire' });
    await visit(worker);
    expect(await worker.ask({ do: 'extend and release' })).toBe('fulfilled');
    await comesNext();
  }
  // The lease's own renewal, too: it comes after a third of the TTL.
  for (let round = 0; round < 5; round += 1) {
    await worker.ask({ do: 'acquire' });
    await sleep(ttlMs / 3 - 2 + round);
    await visit(worker);
    await worker.ask({ do: 'release' });
    await comesNext();
  }
  // It is free each time: nobody waits.
  await lab.settle({ waitBoundMs: slackMs });
});
