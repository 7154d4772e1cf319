/**
 * What can be wrong with the tickets of one event, in the words that `make audit`, `make load` and the tests share:
 * each check has the name of what it finds, and returns one sentence, or null.
 */

/** One event, counter and booking rows read in one snapshot. */
export interface Stock {
  capacity: number;
  /** What the counter says is left. */
  available: number;
  /** Tickets in the booking rows of the event's present epoch. */
  booked: number;
}

export const STOCK_CHECKS = {
  oversold({ capacity, booked }: Stock): string | null {
    if (booked <= capacity) return null;
    const there = capacity === 1 ? 'was' : 'were';
    return `${tickets(booked)} sold though there ${there} only ${thousands(capacity)}: ${thousands(booked - capacity)} too many`;
  },

  counter_differs({ capacity, available, booked }: Stock): string | null {
    const counted = capacity - available;
    if (counted === booked) return null;
    return `the counter says ${tickets(counted)} sold, the booking rows say ${thousands(booked)}`;
  },
};

function tickets(amount: number): string {
  return `${thousands(amount)} ${amount === 1 ? 'ticket' : 'tickets'}`;
}

function thousands(amount: number): string {
  return amount.toLocaleString('en-US');
}
