import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

/** A request that waits to be decided. */
export interface Pending {
  readonly request: BookingRequest;
  /** Monotonic time by which it must be on its way to the database; after it, it is refused as busy. */
  readonly deadlineMs: number;
  /** A statement that books it was sent and its answer lost: it may be booked, and has to be looked for. */
  isInDoubt: boolean;
  settle(outcome: Outcome): void;
  fail(cause: unknown): void;
}

/** The end of a request that nobody could decide in time. */
export function giveUp(pending: Pending, detail: string, cause?: unknown): void {
  pending.settle(pending.isInDoubt ? { code: 'unknown', cause } : { code: 'busy', detail, cause });
}

/** The end of a request that met a broken server. */
export function failWith(pending: Pending, cause: unknown): void {
  if (pending.isInDoubt) pending.settle({ code: 'unknown', cause });
  else pending.fail(cause);
}
