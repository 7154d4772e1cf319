import type { Ask, Exchange } from '../generators/exchange.ts';
import type { Workload } from './workload.ts';

const EVENTS = 4;
const TICKETS = 20;
// The search for an order of all operations is exponential in what is under way at a time, and linear in this.
const REQUESTS = 2_000;

export const storm: Workload = {
  name: 'storm',
  what: 'book, cancel and read at random, on few events with little stock: whether one order explains all answers',
  tickets: ({ tickets }) => Array.from({ length: EVENTS }, () => tickets ?? TICKETS),
  requests: ({ buyers }) => buyers ?? REQUESTS,
  client(random, events) {
    const own: { event: number; bookingId: string }[] = [];
    return {
      next(): Ask {
        const event = Math.floor(random() * events);
        const what = random();
        if (what < READS) return { operation: 'read', event };
        const mine = what < READS + CANCELS ? own.shift() : undefined;
        if (mine) return { operation: 'cancel', quantity: 1, ...mine };
        return { operation: 'book', event, quantity: 1 };
      },
      told({ ask, answer }: Exchange) {
        if (ask.operation === 'book' && answer?.booking) {
          own.push({ event: ask.event, bookingId: answer.booking.bookingId });
        }
      },
    };
  },
  counts: ['booked', 'cancelled', 'read', 'refused'],
  // What was cancelled has no row any more, and is free for those who ask after somebody was refused. Whether that was
  // all in order is what the search for an order says.
  exempt: [
    'undersold',
    'never_sold_out',
    'booked_without_row',
    'refused_too_early',
    'contention_not_shown',
    'one_instance',
    'losers_on_one_instance',
    'replica_left_out',
  ],
};

const READS = 0.2;
const CANCELS = 0.35;
