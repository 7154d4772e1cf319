import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Milliseconds of the one monotonic clock of this machine (Node reads CLOCK_MONOTONIC, or what stands for it), so that
 * an instant taken in one process can be compared with one taken in another.
 */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export async function sleepUntil(atMs: number): Promise<void> {
  await sleep(Math.max(0, atMs - nowMs()));
}
