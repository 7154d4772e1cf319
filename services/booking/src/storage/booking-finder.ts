import { findBookingsOfRequests, type StoredBooking } from './bookings.ts';
import type { Db } from './schema.ts';

/** Finds bookings by the request that made them. */
export interface BookingFinder {
  ofRequest(requestId: string): Promise<StoredBooking | undefined>;
}

/** Requests in one statement. */
const MAX_REQUESTS = 1_000;

interface Asked {
  requestId: string;
  resolve: (booking: StoredBooking | undefined) => void;
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
      const requestIds = together.map(({ requestId }) => requestId);
      const found = await findBookingsOfRequests(db, requestIds);
      for (const { requestId, resolve } of together) resolve(found.get(requestId));
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }

  return {
    ofRequest: (requestId) =>
      new Promise((resolve, reject) => {
        waiting.push({ requestId, resolve, reject });
        if (isAsking) return;
        isAsking = true;
        void askAll();
      }),
  };
}
