import type { Exchange } from '../generators/exchange.ts';
import type { UnconfirmedHold } from '../truth.ts';
import { fromWallClockMs } from './clock.ts';
import type { Operation } from './operation.ts';
import { derivedOperation, type Sale } from './operations.ts';

/**
 * The ends of holds. Nobody asks for them: a hold ends at a moment that Postgres's clock decides and the answer to it
 * tells, and from then on its tickets are free. That clock is the one of this machine, so the moment is known as exactly
 * as the two clocks of a process can be compared: within an interval.
 *
 * A hold that was confirmed before has no end. Where its confirmation was under way at that moment it has one: a read in
 * between may see the tickets free, and the confirmation takes them again. If it was the confirmation that came first,
 * the two follow each other at once, and nobody sees them.
 */

// The wall clock is read in whole milliseconds, and compared with another one twice.
const TOLERANCE_MS = 5;

export function expiryOperations(sale: Sale, exchanges: readonly Exchange[]): Operation[] {
  const confirmedAtMs = new Map(
    exchanges.flatMap(({ ask, answer }) =>
      ask.operation === 'confirm' && answer?.status === 200 ? [[ask.bookingId, answer.receivedAtMs]] : [],
    ),
  );
  const toOurs = fromWallClockMs();
  return exchanges.flatMap((exchange) => {
    const endsAtMs = endOfHold(exchange, toOurs);
    const booking = exchange.answer?.booking?.bookingId;
    if (exchange.ask.operation !== 'hold' || endsAtMs === null || booking === undefined) return [];
    const span = { startMs: endsAtMs - TOLERANCE_MS, endMs: endsAtMs + TOLERANCE_MS };
    if ((confirmedAtMs.get(booking) ?? Infinity) < span.startMs) return [];
    return derivedOperation(sale, { operation: 'expire', quantity: exchange.ask.quantity, booking, span });
  });
}

/** The same of holds of which only Postgres has told: whoever asked for them was told nothing. */
export function expiriesOf(sale: Sale, holds: readonly UnconfirmedHold[]): Operation[] {
  const toOurs = fromWallClockMs();
  return holds.map(({ id, quantity, endsAt }) => {
    const endsAtMs = endsAt.getTime() + toOurs;
    const span = { startMs: endsAtMs - TOLERANCE_MS, endMs: endsAtMs + TOLERANCE_MS };
    return derivedOperation(sale, { operation: 'expire', quantity, booking: id, span });
  });
}

/** When all holds of these have ended for sure; null if there are none. */
export function lastEndOfHolds(exchanges: readonly Exchange[]): number | null {
  const toOurs = fromWallClockMs();
  const last = exchanges.reduce((last, exchange) => Math.max(last, endOfHold(exchange, toOurs) ?? 0), 0);
  return last === 0 ? null : last + TOLERANCE_MS;
}

/** On the clock of `performance.now()`; null of what is no hold. */
function endOfHold({ ask, answer }: Pick<Exchange, 'ask' | 'answer'>, toOurs: number): number | null {
  if (ask.operation !== 'hold' || !answer?.booking?.expiresAt) return null;
  return Date.parse(answer.booking.expiresAt) + toOurs;
}
