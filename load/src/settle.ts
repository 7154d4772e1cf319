import { setTimeout as sleep } from 'node:timers/promises';

import { BOOKED_WITHIN_MS } from '@lastseat/booking/contract';

import type { Attempt } from './attempt.ts';
import { isUnknown } from './tally.ts';
import type { Oracle, Truth } from './truth.ts';

/**
 * Postgres is believed only when nothing of a run can still be written. Where every request was answered, that is now,
 * if the answers are true; whether they were is seen by a second look later. A request of unknown end may be booked
 * until the service itself gives it up.
 */

// nginx looks for a replica that long before it gives a request up.
const TAKEN_WITHIN_MS = 5_000;
// A run that fails because too much of it is unknown is not waited for as long: its figures are no result.
const FAILED_SETTLE_MS = 1_000;
const POLL_MS = 100;

export async function readSettled(
  oracle: Oracle,
  eventId: number,
  attempts: readonly Attempt[],
  maxUnknown: number,
): Promise<Truth | null> {
  const unknown = attempts.filter(isUnknown);
  const deadlineMs =
    unknown.length > maxUnknown ? performance.now() + FAILED_SETTLE_MS : givenUpAtMs(attempts);
  for (;;) {
    const isOver = performance.now() >= deadlineMs;
    const truth = await oracle.read(eventId);
    const booked = new Set(truth?.rows.map(({ customer }) => customer));
    if (isOver || unknown.every(({ customer }) => booked.has(customer))) return truth;
    await sleep(POLL_MS);
  }
}

/** When the service has given up all of them that ended unknown; a moment that is past where there are none. */
export function givenUpAtMs(attempts: readonly Attempt[]): number {
  const lastStartMs = attempts
    .filter(isUnknown)
    .reduce((last, { startedAtMs }) => Math.max(last, startedAtMs), 0);
  return lastStartMs + TAKEN_WITHIN_MS + BOOKED_WITHIN_MS;
}
