import { randomUUID } from 'node:crypto';

/** Events that are counted at a time; beyond that all start anew, under another name. */
const MAX_EVENTS = 10_000;

/**
 * Numbers the booking requests of each event as they reach this process: `<counter>/<n>`. Whoever sent all of an
 * event's requests sees a gap where one came twice, also if its twin booked nothing.
 */
export interface RequestCount {
  next(eventId: number): string;
}

export function createRequestCount(maxEvents = MAX_EVENTS): RequestCount {
  let counter = randomUUID();
  const counts = new Map<number, number>();
  return {
    next(eventId) {
      if (counts.size >= maxEvents && !counts.has(eventId)) {
        counts.clear();
        counter = randomUUID();
      }
      const n = (counts.get(eventId) ?? 0) + 1;
      counts.set(eventId, n);
      return `${counter}/${n}`;
    },
  };
}
