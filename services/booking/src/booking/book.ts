import { LockError, LockTimeoutError, LockUnavailableError } from '@lastseat/locking';

import { PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';
import { WIND_UP_MS } from '#src/time-limits.ts';

import type { BookingRequest, Outcome, Strategy } from './strategy.ts';

/**
 * Books, and turns whatever a broken server or an unobtained lock has thrown into an outcome. All of them mean that
 * nothing was written: what may have been written is settled before it gets here. Only bugs are still thrown.
 */
export async function book(strategy: Strategy, request: BookingRequest): Promise<Outcome> {
  if (request.signal.aborted) return ABANDONED;
  const { promise: overdue, resolve } = Promise.withResolvers<Outcome>();
  const timer = setTimeout(
    resolve,
    Math.max(0, request.deadlineMs + WIND_UP_MS - performance.now()),
    OVERDUE,
  );
  try {
    return await Promise.race([strategy.book(request), overdue]);
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome !== undefined) return { ...outcome, cause: error };
    if (isAbortOf(request.signal, error)) return ABANDONED;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

type Refusal = Extract<Outcome, { code: 'busy' | 'unavailable' }>;

/** A wait that knew nothing of the deadline: nobody but us may say so while the proxy still listens. */
const OVERDUE: Outcome = Object.freeze({ code: 'unknown', cause: 'a wait went on beyond the deadline' });

/** Nobody reads it: the caller has gone. */
const ABANDONED: Outcome = Object.freeze({
  code: 'busy',
  detail: 'The request was abandoned; nothing was written.',
});

/** Whatever was waited for rejects with the reason of the caller who has gone. All else is a bug, and has a reader. */
function isAbortOf({ aborted, reason }: AbortSignal, error: unknown): boolean {
  if (!aborted) return false;
  // Node's own waits wrap it.
  return (
    error === reason || (error instanceof Error && error.name === 'AbortError' && error.cause === reason)
  );
}

function outcomeOf(error: unknown): Refusal | undefined {
  if (error instanceof LockTimeoutError) {
    return {
      code: 'busy',
      detail: `The event was locked by others for ${error.waitMs} ms; nothing was written.`,
    };
  }
  if (error instanceof LockUnavailableError) {
    return {
      code: 'unavailable',
      detail: 'Redis, which holds the lock, gives no answer; nothing was written.',
    };
  }
  // The lease was lost, by a strategy that does not go on under a new one.
  if (error instanceof LockError) return { code: 'busy', detail: 'The lock was lost; nothing was written.' };
  if (error instanceof PostgresBusyError) {
    return { code: 'busy', detail: 'Too many others are booking at this moment; nothing was written.' };
  }
  if (error instanceof PostgresUnavailableError) {
    return { code: 'unavailable', detail: 'Postgres is away or cannot serve; nothing was written.' };
  }
  return undefined;
}
