import { setTimeout as sleep } from 'node:timers/promises';

import type { BookingRequest } from './strategy.ts';

/**
 * Holds a booking between its read and its write, so that a race happens for certain and not just sometimes. Rejects
 * when the request is abandoned: nothing has been written yet.
 */
export async function holdRaceWindow({ raceWindowMs, signal }: BookingRequest): Promise<void> {
  if (raceWindowMs > 0) await sleep(raceWindowMs, undefined, { signal });
}
