import { setTimeout as sleep } from 'node:timers/promises';

import { mark } from '#src/marks.ts';
import type { Trx } from '#src/storage/schema.ts';
import { allowIdle } from '#src/storage/transaction.ts';

import type { BookingRequest } from './strategy.ts';

/**
 * Holds a booking between its read and its write, so that a race happens for certain and not just sometimes. Rejects
 * when the request is abandoned: nothing has been written yet.
 * @param trx the transaction that stays open meanwhile, if there is one
 */
export async function holdRaceWindow(
  {
    raceWindowMs,
    deadlineMs,
    signal,
  }: Pick<BookingRequest, 'raceWindowMs' | 'deadlineMs'> & { signal?: AbortSignal },
  trx?: Trx,
): Promise<void> {
  if (raceWindowMs === 0) return;
  await mark('decides');
  const windowMs = Math.max(0, Math.ceil(Math.min(raceWindowMs, deadlineMs - performance.now())));
  if (trx !== undefined) await allowIdle(trx, windowMs);
  await sleep(windowMs, undefined, signal === undefined ? {} : { signal });
}
