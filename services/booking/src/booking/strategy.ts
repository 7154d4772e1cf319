import type { Locks, QueueLocks } from '@lastseat/locking';

import type { Guarantee, StrategyName } from '#src/contract.ts';
import type { OnMark } from '#src/marks.ts';
import type { StoredBooking } from '#src/storage/bookings.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { BOOKING_RESERVE_MS } from '#src/time-limits.ts';

import type { BookTogether } from './batching/book-together.ts';
import type { RowWaits } from './batching/row-waits.ts';
import type { RequestTrace } from './request-trace.ts';

/** One way to guard a booking. All of them have this shape, so that the difference between two files is the guard. */
export interface Strategy {
  /** One of the contract's names; in the lab also that of a file (lab-strategies.ts). */
  name: string;
  guarantee: Guarantee;
  guardsWith: string;
  breaksWhen: string;
  costs: string;
  /**
   * Books all tickets of the request or none. What is expected to happen is an outcome; a broken server, a lock that
   * was not obtained or a lost lease is thrown, and means that nothing was written.
   */
  book: (request: BookingRequest) => Promise<Outcome>;
  /** Requests that wait in this process for the next batch. */
  waiting?: () => number;
}

export interface BookingRequest {
  /** Monotonic time at which it arrived: it books nothing in an epoch that began later. */
  arrivedAtMs: number;
  /** UUID v7, made before anything is written: what is unknown can be looked up. */
  bookingId: string;
  /** UUID of the HTTP request, unique among bookings. */
  requestId: string;
  /** The same request may have been sent before, and have booked: its id was made neither here nor by the proxy. */
  mayBeRepeated: boolean;
  /** Given by whoever sent it; of one event and customer it is good for one booking. */
  idempotencyKey: string | null;
  eventId: number;
  quantity: number;
  /** For how many seconds the tickets are held; null to book them at once. */
  holdS: number | null;
  customer: string;
  /** How long to wait between the read and the write, so that a race is certain; 0 outside the lab. */
  raceWindowMs: number;
  /** Monotonic time after which nothing is begun for it any more: every wait ends by then. */
  deadlineMs: number;
  /** Aborts when nobody waits for the answer any more: a booking that has not been written is then dropped. */
  signal: AbortSignal;
  /** Where traces are made. */
  trace?: RequestTrace | undefined;
  /** Where marks or a failpoint are asked for: a batch is marked for it. */
  onMark?: OnMark | undefined;
}

export type Outcome =
  /** With the end of its hold, if it is one, and what its customer may still book, where the event limits that. */
  | { code: 'booked'; fencingToken: number | null; expiresAt?: Date | null; allowanceLeft?: number }
  /** By the same request, when it came before, or with the same key. */
  | { code: 'booked_before'; booking: StoredBooking }
  | { code: 'sold_out' }
  /** There are enough tickets that are not sold, but some of them are held. */
  | { code: 'all_held'; nextEndAt: Date }
  /** By Postgres's clock; both are null where it has no such moment. */
  | { code: 'not_on_sale'; opensAtMs: number | null; closesAtMs: number | null }
  /** More than the event sells at once. */
  | { code: 'limit_reached'; maxPerBooking: number }
  /** More than the customer may have. */
  | { code: 'limit_reached'; maxPerCustomer: number; allowanceLeft: number }
  /** The event counts what each customer has, and the request names none. */
  | { code: 'customer_required' }
  | { code: 'event_not_found' }
  /** A request for something else had the same id, and has booked. */
  | { code: 'request_id_reused' }
  /** The same for its idempotency key. */
  | { code: 'idempotency_key_reused' }
  /** Another request with its key was decided at the same time. */
  | { code: 'idempotency_key_in_use' }
  /** With what was thrown, where something was: for the log. */
  | { code: 'busy' | 'unavailable'; detail: string; cause?: unknown }
  | { code: 'unknown'; cause?: unknown };

/** What strategies are made of. */
export interface StrategyDeps {
  db: PooledDb;
  instanceId: string;
  simpleLock: Locks;
  queueLock: Locks;
  /** The same locks, by a service that keeps what it has until another replica asks for it. */
  keptLock: Pick<QueueLocks, 'acquire'>;
  /** Null where no quorum of Redis servers is configured. */
  quorumLock: Locks | null;
  lockTtlMs: number;
  lockWaitMs: number;
  /** Shared by the strategies that book in batches, for they share the connections. */
  bookTogether: BookTogether;
  rowWaits: RowWaits;
  /** Asked before anything is locked in Redis. */
  eventExists: (eventId: number) => Promise<boolean>;
  /** Told of every attempt that has to be repeated. */
  onRetry: (strategy: string) => void;
  /** Told of every batch that is about to be sent. */
  onBatch?: ((strategy: StrategyName, size: number) => void) | undefined;
  /** Told of a lease that could not be given back; it ends with its TTL. */
  onReleaseFailed: (error: unknown) => void;
}

export const SOLD_OUT: Outcome = Object.freeze({ code: 'sold_out' });
export const EVENT_NOT_FOUND: Outcome = Object.freeze({ code: 'event_not_found' });

/** Somebody reset the event or changed its stock between the read and the write: what was decided on is void. */
export const CHANGED_MEANWHILE: Outcome = Object.freeze({
  code: 'busy',
  detail: 'The event was reset or changed while it was being booked; nothing was written.',
});

/** How long such a wait for a lock may be, so that there is time to book after it. */
export function lockWaitOf({ deadlineMs }: Pick<BookingRequest, 'deadlineMs'>, waitMs: number): number {
  return Math.max(0, Math.floor(Math.min(waitMs, deadlineMs - BOOKING_RESERVE_MS - performance.now())));
}

/** One name per event, shared by all strategies that lock in Redis with the same algorithm. */
export function lockNameOf(eventId: number): string {
  return `event:${eventId}`;
}
