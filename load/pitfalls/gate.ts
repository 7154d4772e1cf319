import { setTimeout as sleep } from 'node:timers/promises';

import type { BookingRequest, LabStrategyDeps } from '@lastseat/booking/strategy';

/**
 * Where a booking waits until the script of a pitfall lets it go on: that moments meet is not left to chance. The script
 * (load/src/pitfalls/stage.ts) closes the gate of a buyer before it sends them, hears that they have come to it and on
 * which replica, and opens it. Whoever has no gate goes through.
 */
const POLL_MS = 5;

export async function waitAtGate(
  { redis, instanceId }: Pick<LabStrategyDeps, 'redis' | 'instanceId'>,
  { eventId, customer, deadlineMs }: BookingRequest,
): Promise<void> {
  const gate = `gate:${eventId}:${customer}`;
  if ((await redis.get(gate)) === null) return;
  await redis.set(`${gate}:here`, instanceId, 'EX', 60);
  while ((await redis.get(gate)) !== null && performance.now() < deadlineMs) await sleep(POLL_MS);
}

/** Somebody else has what this buyer wants. */
export async function tellThatWaits(
  { redis }: Pick<LabStrategyDeps, 'redis'>,
  { eventId, customer }: BookingRequest,
): Promise<void> {
  await redis.set(`waits:${eventId}:${customer}`, '1', 'EX', 60);
}
