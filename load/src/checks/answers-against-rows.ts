import type { BookingView } from '@lastseat/booking/contract';
import { agree, count, examples } from '@lastseat/lab-frame/words.ts';

import type { Attempt } from '../attempt.ts';
import { isUnknown } from '../tally.ts';
import type { Row } from '../truth.ts';
import type { Check } from './check.ts';
import { isOfAnotherRun } from './epochs.ts';
import type { Evidence } from './evidence.ts';

export const answersAgainstRows = {
  name: 'answers-against-rows',
  claim:
    'each 201 has its one row, each row its 201 or a request of unknown end, and both say what was asked for',
  findings: {
    booked_without_row: bookedWithoutRow,
    row_without_buyer: rowWithoutBuyer,
    booked_twice: bookedTwice,
    same_booking_twice: sameBookingTwice,
    row_differs: rowDiffers,
    strategy_differs: strategyDiffers,
    look_up_differs: lookUpDiffers,
  },
} satisfies Check;

function bookedWithoutRow(evidence: Evidence): string | null {
  const without = bookings(evidence).filter(
    ([, booking]) => !booking || !evidence.rowById.has(booking.bookingId),
  );
  if (without.length === 0) return null;
  return `${count(without.length, 'buyer')} got a 201 for a booking that Postgres does not have${customers(without)}`;
}

function rowWithoutBuyer(evidence: Evidence): string | null {
  const orphans = evidence.truth.rows.filter((row) => {
    if (isOfAnotherRun(row, evidence)) return false;
    const attempt = evidence.attemptOf.get(row.customer);
    return !attempt || !(isUnknown(attempt) || attempt.answer?.code === 'booked');
  });
  if (orphans.length === 0) return null;
  const whose = orphans.map((row) => {
    const attempt = evidence.attemptOf.get(row.customer);
    return `${row.customer} ${attempt ? `was told ${attempt.answer?.code}` : 'is none of the buyers'}`;
  });
  return `${count(orphans.length, 'booking')} in Postgres that nobody was given${examples(whose)}`;
}

function bookedTwice(evidence: Evidence): string | null {
  const { truth, attemptOf } = evidence;
  const rowsOfBuyer = Map.groupBy(truth.rows, (row) => attemptOf.get(row.customer)?.buyer ?? row.customer);
  const twice = [...rowsOfBuyer.values()].filter((rows) => rows.length > 1);
  if (twice.length === 0) return null;
  const whose = twice.map((rows) => `${rows[0]?.customer} has ${rows.length}`);
  return `${count(twice.length, 'buyer')} asked for one booking and got several${examples(whose)}`;
}

function sameBookingTwice(evidence: Evidence): string | null {
  const given = bookings(evidence).filter(([, booking]) => booking);
  const holders = Map.groupBy(given, ([, booking]) => booking?.bookingId ?? '');
  const shared = [...holders].filter(([, attempts]) => attempts.length > 1);
  if (shared.length === 0) return null;
  const which = shared.map(([id, attempts]) => `${id} to ${attempts.length}`);
  return `${count(shared.length, 'booking id')} given to more than one buyer${examples(which)}`;
}

function rowDiffers(evidence: Evidence): string | null {
  const differing = bookings(evidence).flatMap(([attempt, booking]) => {
    const row = booking && evidence.rowById.get(booking.bookingId);
    const what = booking && row && differences(evidence, attempt, booking, row);
    return what ? [`${attempt.customer}: ${what}`] : [];
  });
  if (differing.length === 0) return null;
  return `${count(differing.length, 'booking')} in Postgres ${agree(differing.length, 'differs', 'differ')} from what the buyer asked for or was told${examples(differing)}`;
}

function strategyDiffers({ truth, terms }: Evidence): string | null {
  const other = truth.rows.filter((row) => row.strategy !== terms.strategy);
  if (other.length === 0) return null;
  const names = [...new Set(other.map((row) => row.strategy))];
  return `${count(other.length, 'booking')} made with another guard than ${terms.strategy}${examples(names)}`;
}

/** Whoever was not told can look it up, and is told what Postgres says. */
function lookUpDiffers({ lookUps, rowsOf }: Evidence): string | null {
  const wrong = [...lookUps].flatMap(([customer, found]) => {
    const held = rowsOf.get(customer)?.[0]?.id ?? null;
    if (held === found) return [];
    return [`${customer}: ${held ?? 'no booking'} in Postgres, ${found ?? 'no booking'} by its request id`];
  });
  if (wrong.length === 0) return null;
  return `${count(wrong.length, 'request')} of unknown end looked up in vain${examples(wrong)}`;
}

function differences({ event, crowd }: Evidence, attempt: Attempt, booking: BookingView, row: Row): string {
  const pairs: [string, unknown, unknown][] = [
    ['event', event.id, booking.eventId],
    ['quantity', crowd.quantity, row.quantity],
    ['customer', attempt.customer, row.customer],
    ['customer', booking.customer, row.customer],
    ['quantity', booking.quantity, row.quantity],
    ['strategy', booking.strategy, row.strategy],
    ['instance', booking.instanceId, row.instanceId],
    ['fencing token', booking.fencingToken, row.fencingToken],
    ['request', attempt.answer?.requestId, row.requestId],
  ];
  const differing = pairs.find(([, told, held]) => told !== held);
  return differing ? `${differing[0]} ${String(differing[1])} became ${String(differing[2])}` : '';
}

/** Every 201 with its booking, or null where the body was none. */
function bookings(evidence: Evidence): [Attempt, BookingView | null][] {
  return evidence.attempts.flatMap((attempt): [Attempt, BookingView | null][] =>
    attempt.answer?.code === 'booked' ? [[attempt, attempt.answer.booking]] : [],
  );
}

function customers(bookings: readonly [Attempt, BookingView | null][]): string {
  return examples(bookings.map(([attempt]) => attempt.customer));
}
