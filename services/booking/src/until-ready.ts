import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Waits until nothing is missing any more, or for as long as that. A proxy may hand requests to a replica as soon as
 * somebody listens at its place: before it is connected they would be refused, though everything is well.
 */
export async function untilReady(
  failedChecks: () => Promise<readonly unknown[]>,
  withinMs: number,
): Promise<void> {
  const giveUp = AbortSignal.timeout(withinMs);
  const ready = async (): Promise<void> => {
    while (!giveUp.aborted && (await failedChecks()).length > 0) await sleep(POLL_MS);
  };
  // A server that is silent keeps a check for longer.
  await Promise.race([ready(), sleep(withinMs, undefined, { ref: false })]);
}
