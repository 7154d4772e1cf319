import type { BookingRequest, Outcome } from '#src/booking/strategy.ts';

/** The stock of an event as a decision left it. */
export interface StockLeft {
  available: number;
  epoch: number;
}

/**
 * What becomes of a request; of one that is sold out, with what was left. Two verdicts are for other replicas only,
 * whose requests we book on their behalf: `declined` it has not been booked and will not be, by us; `unsettled` it may
 * have been booked, and they have to look.
 */
export type Verdict =
  | Outcome
  | { code: 'sold_out'; left: StockLeft }
  | { code: 'declined' }
  | { code: 'unsettled' };

/** A request that waits to be decided. */
export interface Pending {
  readonly request: BookingRequest;
  /** The replica that its buyer talks to. */
  readonly instanceId: string;
  /** Monotonic time by which it must be on its way to the database; after it, it is refused as busy. */
  readonly deadlineMs: number;
  /** Another replica's: to be booked under this grant of the lock or not at all. */
  readonly grant: string | undefined;
  /** Another replica was asked to book it, and nobody knows whether it did. */
  mayBeBooked: boolean;
  settle(verdict: Verdict): void;
  fail(cause: unknown): void;
}

/** The end of a request that nobody could decide in time. */
export function giveUp(pending: Pending, detail: string): void {
  pending.settle(pending.mayBeBooked ? { code: 'unknown' } : { code: 'busy', detail });
}

/** The end of a request that met a broken server. */
export function failWith(pending: Pending, cause: unknown): void {
  if (pending.mayBeBooked) pending.settle({ code: 'unknown' });
  else pending.fail(cause);
}
