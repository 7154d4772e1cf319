import { LockLostError, type AcquireOptions, type Locks } from '@lastseat/locking';
import { afterEach, expect, test, vi } from 'vitest';

import { bookFenced } from '#src/booking/book-fenced.ts';
import type { StrategyDeps } from '#src/booking/strategy.ts';

import { bookingRequest } from '../support/requests.ts';

let nowMs = 0;

afterEach(() => vi.restoreAllMocks());

/** Books with a lock that takes so long to be had and lost again, every time. */
async function bookAndLose(eachMs: number, lockWaitMs: number) {
  nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const waits: (number | undefined)[] = [];
  const locks = {
    async acquire(lock: string, { waitMs }: AcquireOptions) {
      waits.push(waitMs);
      nowMs += eachMs;
      throw new LockLostError({ lock, token: 1, why: 'deadline' });
    },
  } as unknown as Locks;
  const deps = {
    eventExists: async () => true,
    lockTtlMs: 3_000,
    lockWaitMs,
    onRetry: () => {},
    onReleaseFailed: () => {},
  };
  const outcome = await bookFenced(deps as unknown as StrategyDeps, locks, 'fenced-lock', bookingRequest(1));
  return { outcome, waits };
}

test('leases that are lost quickly are tried four times', async () => {
  const { outcome, waits } = await bookAndLose(1, 5_000);
  expect(outcome).toMatchObject({ code: 'busy', detail: expect.stringContaining('4 times') as string });
  expect(waits).toEqual([5_000, 4_999, 4_998, 4_997]);
});

test('all waits together are no longer than one may be', async () => {
  const { waits } = await bookAndLose(1_500, 2_000);
  expect(waits).toEqual([2_000, 500, 0, 0]);
});

test('leases that are lost slowly end in time for an answer of our own', async () => {
  const { outcome, waits } = await bookAndLose(3_500, 5_000);
  expect(outcome).toMatchObject({ code: 'busy', detail: expect.stringContaining('2 times') as string });
  expect(waits).toEqual([5_000, 1_500]);
});
