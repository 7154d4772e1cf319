import type { BookingView } from '@lastseat/booking/contract';

import type { Attempt } from './crowd.ts';
import { isUnknown } from './tally.ts';
import type { Target } from './target.ts';

// Enough to see whether it works; a run in which more ended unknown has failed, or was meant to.
const MOST = 200;
const TIMEOUT_MS = 5_000;

/**
 * What the API says of requests whose end nobody was told, when it is asked by their ids. Whoever sends no answer names
 * no id, so that nothing can be asked of it.
 */
export async function lookUpUnknown(
  { url }: Target,
  attempts: readonly Attempt[],
): Promise<Map<string, string | null>> {
  const found = new Map<string, string | null>();
  const asked = attempts.filter((attempt) => isUnknown(attempt) && attempt.answer?.requestId).slice(0, MOST);
  for (const { customer, answer } of asked) {
    const response = await fetch(new URL(`/requests/${answer?.requestId}`, url), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => null);
    // No answer is no wrong answer: what is looked for here are lies.
    if (response?.status === 404) found.set(customer, null);
    if (response?.ok) found.set(customer, ((await response.json()) as BookingView).bookingId);
    else await response?.arrayBuffer();
  }
  return found;
}
