import { eventExists } from '#src/storage/events.ts';
import type { Db } from '#src/storage/schema.ts';

/**
 * Whether an event exists, for those who would otherwise make a key in Redis for whatever number a stranger asks for.
 * Events are never deleted, so one that was found once needs no further look.
 */

/** Some hundred kilobytes. An event that is forgotten costs one read. */
const MAX_KNOWN = 10_000;

export function createKnownEvents(db: Db): (eventId: number) => Promise<boolean> {
  const known = new Set<number>();
  return async (eventId) => {
    if (known.has(eventId)) return true;
    if (!(await eventExists(db, eventId))) return false;
    if (known.size >= MAX_KNOWN) known.clear();
    known.add(eventId);
    return true;
  };
}
