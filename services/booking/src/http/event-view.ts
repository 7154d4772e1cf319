import type { EventView } from '#src/contract.ts';
import type { EventRow } from '#src/storage/events.ts';

/** What is shown of an event; its revisions are in the `ETag`. */
export function eventViewOf({ id, name, capacity, available, booked, held, oversold }: EventRow): EventView {
  return { id, name, capacity, available, booked, held, oversold };
}
