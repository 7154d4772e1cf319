import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/stack';

// nginx leaves a replica alone for a second or a few once it has failed; and a guard that has let requests run into
// nginx's own time-out of ten seconds still has them under way.
const TIMEOUT_MS = 30_000;
const POLL_MS = 200;
const REQUEST_TIMEOUT_MS = 2_000;

/** Waits for a stack that the last measurement has run into the ground; one that is well answers at once. */
export async function untilServing(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await isReady(url))) {
    if (performance.now() > deadline) throw new UserError(`${url} has stopped to serve`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/readyz', url), {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}
