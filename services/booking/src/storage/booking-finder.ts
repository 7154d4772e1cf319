import { findFirstBookings, firstIn, type FirstBooking, type Identity } from './first-bookings.ts';
import type { Db } from './schema.ts';

/** Finds bookings by the request that made them, or by its key. */
export interface BookingFinder {
  firstOf(request: Identity): Promise<FirstBooking | undefined>;
}

/** Requests in one statement. */
const MAX_REQUESTS = 1_000;

interface Asked {
  request: Identity;
  resolve: (first: FirstBooking | undefined) => void;
  reject: (cause: unknown) => void;
}

/**
 * A crowd that is refused asks all at once. So one statement is under way at a time, and whoever asks meanwhile is in the
 * next one.
 */
export function createBookingFinder(db: Db): BookingFinder {
  let waiting: Asked[] = [];
  let isAsking = false;

  async function askAll(): Promise<void> {
    // Whoever asks in the same turn of the event loop is in it too.
    await Promise.resolve();
    while (waiting.length > 0) await ask(waiting.splice(0, MAX_REQUESTS));
    isAsking = false;
  }

  async function ask(together: readonly Asked[]): Promise<void> {
    try {
      const found = await findFirstBookings(
        db,
        together.map(({ request }) => request),
      );
      for (const { request, resolve } of together) resolve(firstIn(found, request));
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }

  return {
    firstOf: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject });
        if (isAsking) return;
        isAsking = true;
        void askAll();
      }),
  };
}
