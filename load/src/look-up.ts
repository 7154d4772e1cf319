import type { BookingView } from '@lastseat/booking/contract';

import type { Attempt } from './attempt.ts';
import { isUnknown } from './tally.ts';
import type { Target } from './target.ts';

// Enough to see whether it works; a run in which more ended unknown has failed, or was meant to.
const MOST = 200;
const TIMEOUT_MS = 5_000;
// All of them together: an API that is silent is asked no longer.
const ALL_WITHIN_MS = 10_000;

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
  const all = AbortSignal.timeout(ALL_WITHIN_MS);
  for (const { customer, answer } of asked) {
    if (all.aborted) break;
    const signal = AbortSignal.any([all, AbortSignal.timeout(TIMEOUT_MS)]);
    const bookingId = await bookingOf(new URL(`/requests/${answer?.requestId}`, url), signal);
    if (bookingId !== undefined) found.set(customer, bookingId);
  }
  return found;
}

/** Null: there is none. Undefined: no answer, which is no wrong answer; what is looked for here are lies. */
async function bookingOf(url: URL, signal: AbortSignal): Promise<string | null | undefined> {
  try {
    const response = await fetch(url, { signal });
    const body = (await response.json()) as BookingView;
    if (response.status === 404) return null;
    return response.ok ? body.bookingId : undefined;
  } catch {
    return undefined;
  }
}
