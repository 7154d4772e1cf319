import { randomUUIDv7 } from 'node:crypto';

import type { BookingRequest } from '#src/booking/strategy.ts';
import { REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

export function bookingRequest(eventId: number, overrides: Partial<BookingRequest> = {}): BookingRequest {
  return {
    arrivedAtMs: performance.now(),
    bookingId: randomUUIDv7(),
    requestId: randomUUIDv7(),
    mayBeRepeated: false,
    idempotencyKey: null,
    eventId,
    quantity: 1,
    holdS: null,
    customer: 'test',
    raceWindowMs: 0,
    deadlineMs: performance.now() + REQUEST_DEADLINE_MS,
    signal: new AbortController().signal,
    ...overrides,
  };
}

/** A request that tells when it stands between its read and its write, where it then stays for a while. */
export function requestInRaceWindow(
  eventId: number,
  { raceWindowMs, ...overrides }: Partial<BookingRequest> & { raceWindowMs: number },
): { request: BookingRequest; isInside: Promise<void> } {
  const { promise: isInside, resolve } = Promise.withResolvers<void>();
  const request = Object.defineProperty(bookingRequest(eventId, overrides), 'raceWindowMs', {
    enumerable: true,
    get() {
      resolve();
      return raceWindowMs;
    },
  });
  return { request, isInside };
}
