import { outcomeOf, type Ask, type Client, type Exchange } from '../generators/exchange.ts';

type Book = Extract<Ask, { operation: 'book' }>;

const OWN_AT_MOST = 3;
// Of what was booked: it is asked for once more, and must be the same booking.
const REPEATED = 0.3;

/**
 * Each of its bookings has an idempotency key, and it asks with it until it is told how that ended: what was cut off, or
 * refused because the service was busy, is asked for again. It gives back what it has when it has enough.
 *
 * @param text its own among all clients and waves
 */
export function repeatingBuyer(random: () => number, text: string): Client {
  const own: string[] = [];
  let asked = 0;
  let again: Book | null = null;
  let isRepeated = false;
  return {
    next(): Ask {
      if (again !== null) return again;
      const bookingId = own.length >= OWN_AT_MOST ? own.shift() : undefined;
      if (bookingId !== undefined) return { operation: 'cancel', event: 0, quantity: 1, bookingId };
      asked += 1;
      isRepeated = false;
      return { operation: 'book', event: 0, quantity: 1, key: { number: asked, text } };
    },
    told(exchange: Exchange) {
      const { ask, answer } = exchange;
      const outcome = outcomeOf(exchange);
      if (ask.operation === 'cancel' && outcome === 'busy') own.push(ask.bookingId);
      if (ask.operation !== 'book') return;
      const bookingId = answer?.booking?.bookingId;
      if (bookingId !== undefined && !own.includes(bookingId)) own.push(bookingId);
      const isAskedAnew = outcome === 'booked' && !isRepeated && random() < REPEATED;
      isRepeated ||= isAskedAnew;
      again = outcome === 'unknown' || outcome === 'busy' || isAskedAnew ? ask : null;
    },
  };
}
