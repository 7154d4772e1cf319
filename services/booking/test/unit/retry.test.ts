import { afterEach, expect, test, vi } from 'vitest';

import { untilNoConflict } from '#src/booking/retry.ts';
import { BOOKING_RESERVE_MS } from '#src/time-limits.ts';

const request = { signal: new AbortController().signal, deadlineMs: Number.POSITIVE_INFINITY };

afterEach(() => vi.restoreAllMocks());

test('repeats an attempt until it meets no conflict', async () => {
  let tries = 0;
  const outcome = await untilNoConflict(
    request,
    () => {},
    async () => (++tries < 3 ? { code: 'conflict' } : { code: 'booked', fencingToken: null }),
  );
  expect(outcome).toMatchObject({ code: 'booked' });
  expect(tries).toBe(3);
});

test('slow attempts end in time for an answer of our own, not only after all the tries', async () => {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const outcome = await untilNoConflict(
    { ...request, deadlineMs: BOOKING_RESERVE_MS + 4_000 },
    () => {},
    async () => {
      nowMs += 2_500;
      return { code: 'conflict' };
    },
  );
  expect(outcome).toMatchObject({ code: 'busy', detail: expect.stringContaining('2 times') as string });
});
