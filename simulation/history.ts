import type { BookingRow, StockRow } from './models/postgres.ts';
import type { Plan } from './plan.ts';

/** What became of a history: what everybody was told, what Postgres holds, and every lease. */
export interface History {
  readonly plan: Plan;
  readonly operations: readonly Operation[];
  readonly stocks: readonly StockRow[];
  readonly bookings: readonly BookingRow[];
  readonly leases: readonly LeaseGiven[];
  /** What was seen while it happened and must not be. */
  readonly breaches: readonly string[];
  readonly endedMs: number;
}

export interface Operation {
  readonly id: string;
  readonly do: 'book' | 'cancel' | 'read' | 'repeat';
  readonly eventId: number;
  readonly quantity: number;
  readonly bookingId: string;
  readonly requestId: string;
  readonly replica: string;
  /** Of a cancellation. */
  readonly of: Operation | null;
  readonly startMs: number;
  /** Infinity: nobody was told. */
  endMs: number;
  /** `unknown` until there is an answer, and where the answer says so. */
  answer: Answer;
  /** Its replica died before it had answered. */
  isOrphan: boolean;
}

export type Answer =
  | { is: 'booked'; token: number | null }
  | { is: 'booked before'; bookingId: string }
  | { is: 'sold out' }
  | { is: 'cancelled' }
  | { is: 'not cancelled' }
  | { is: 'read'; free: number }
  /** Nothing was written. */
  | { is: 'failed'; why: string }
  | { is: 'unknown'; why: string };

export interface LeaseGiven {
  readonly name: string;
  readonly token: number;
  readonly replica: string;
  readonly atMs: number;
}
