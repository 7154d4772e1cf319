import { setTimeout as sleep } from 'node:timers/promises';

import { BOOKING_RESERVE_MS } from '#src/time-limits.ts';

import type { BookingRequest, Outcome } from './strategy.ts';

/** Somebody else was faster: nothing was written, start over from the read. */
export interface Conflict {
  code: 'conflict';
}

/**
 * A hot event commits about a thousand times a second, so that a crowd of a few hundred is served within these tries;
 * a larger one is told to come back rather than left to multiply the load.
 */
const MAX_TRIES = 40;

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 200;

/** Repeats an attempt until it meets no conflict, with full jitter: rivals who pause alike would meet again. */
export async function untilNoConflict(
  { signal, deadlineMs }: Pick<BookingRequest, 'signal' | 'deadlineMs'>,
  onRetry: () => void,
  attempt: () => Promise<Outcome | Conflict>,
): Promise<Outcome> {
  const giveUpAtMs = deadlineMs - BOOKING_RESERVE_MS;
  let tries = 0;
  while (tries < MAX_TRIES && performance.now() < giveUpAtMs) {
    tries += 1;
    const outcome = await attempt();
    if (outcome.code !== 'conflict') return outcome;
    onRetry();
    const pauseMs = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
    await sleep(pauseMs, undefined, { signal });
  }
  return { code: 'busy', detail: `Others were faster ${tries} times in a row; nothing was written.` };
}
