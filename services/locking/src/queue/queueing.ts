import { giveUp } from './ending.ts';
import type { Entry, NameMachine } from './name-state.ts';
import type { HandedOver, Queued } from './store.ts';

/**
 * The entry has a place in the queue.
 * @param early a message that came before the reply that says so
 */
export function enterQueue(
  machine: NameMachine,
  entry: Entry,
  { before, holderTtlMs, place = 0 }: Queued,
  early: HandedOver | undefined,
): void {
  const { callers, context, name } = machine;
  machine.state = { is: 'queued', entry };
  callers.dismissImpatient();
  if (callers.size === 0) {
    giveUp(machine);
    return;
  }
  if (entry.place === undefined) context.emit?.({ type: 'queued', lock: name, before });
  entry.place = place;
  context.startPolling(machine, holderTtlMs);
  if (early !== undefined) machine.granted(entry.number, early);
}
