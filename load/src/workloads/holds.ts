import type { Ask, Exchange } from '../generators/exchange.ts';
import { storm } from './storm.ts';
import type { Workload } from './workload.ts';

// The shortest that there is: so that many of them end while others are made.
const SECONDS = 1;

interface Own {
  event: number;
  bookingId: string;
}

export const holds: Workload = {
  name: 'holds',
  what: 'hold, confirm, let holds end, book, cancel and read at random, on few events with little stock',
  tickets: storm.tickets,
  requests: storm.requests,
  client(random, events) {
    const held: Own[] = [];
    const sold: Own[] = [];
    return {
      next(): Ask {
        const event = Math.floor(random() * events);
        const what = random();
        if (what < READS) return { operation: 'read', event };
        if (what < READS + HOLDS) return { operation: 'hold', event, quantity: 1, seconds: SECONDS };
        const isToEnd = random() < LEFT_ALONE;
        if (what < READS + HOLDS + CONFIRMS) {
          const mine = held.shift();
          if (mine && !isToEnd) return { operation: 'confirm', quantity: 1, ...mine };
        } else if (what < READS + HOLDS + CONFIRMS + CANCELS) {
          const mine = sold.shift();
          if (mine) return { operation: 'cancel', quantity: 1, ...mine };
        }
        return { operation: 'book', event, quantity: 1 };
      },
      told({ ask, answer }: Exchange) {
        if (ask.operation === 'confirm' && answer?.status === 200) {
          sold.push({ event: ask.event, bookingId: ask.bookingId });
        }
        const bookingId = answer?.booking?.bookingId;
        if (bookingId === undefined) return;
        if (ask.operation === 'hold') held.push({ event: ask.event, bookingId });
        if (ask.operation === 'book') sold.push({ event: ask.event, bookingId });
      },
    };
  },
  counts: ['held', 'booked', 'confirmed', 'cancelled', 'read', 'refused'],
  exempt: [
    ...storm.exempt,
    // Holds are made by the guard of the service's own route, whatever the others are made by.
    'strategy_differs',
    'token_missing',
  ],
};

const READS = 0.2;
const HOLDS = 0.3;
const CONFIRMS = 0.25;
const CANCELS = 0.15;
// Of the holds whose turn it would be to be confirmed.
const LEFT_ALONE = 0.3;
