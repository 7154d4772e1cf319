import type { Waiter } from './callers.ts';
import { cameFrom, take } from './holding.ts';
import { enterQueue, giveUp, heard, newEntry, proceed, retire, unanswered } from './moves.ts';
import type { Asking, Entry, NameMachine } from './name-state.ts';
import type { Grant, Queued } from './store.ts';

/** Asks Redis for the lock, for the first caller; or for a place in the queue, if the lock is not free. */
export function ask(machine: NameMachine): void {
  const { callers, context } = machine;
  const { first } = callers;
  if (first === undefined) {
    giveUp(machine);
    return;
  }
  context.stopPolling(machine);
  context.timers.disarm(machine);
  const entry = entryFor(machine, first);
  const state: Asking = { is: 'asking', entry, early: undefined };
  machine.state = state;
  const sentAtMs = context.timers.clock.now();
  const { ttlMs } = first;
  send(machine, entry, first).then(
    (reply) => {
      if (machine.state === state) answered(machine, state, reply, { sinceMs: sentAtMs, ttlMs });
    },
    (cause: unknown) => {
      if (machine.state === state) unanswered(machine, cause, sentAtMs);
    },
  );
}

function entryFor(machine: NameMachine, { ttlMs }: Waiter): Entry {
  const { state } = machine;
  if (state.is === 'idle') return newEntry(machine, ttlMs);
  state.entry.longestMs = Math.max(state.entry.longestMs, ttlMs);
  return state.entry;
}

function send(machine: NameMachine, { id, place }: Entry, first: Waiter): Promise<Grant | Queued> {
  const { callers, context, name, steals } = machine;
  const { store, settings } = context;
  const request = {
    id,
    ttlMs: first.ttlMs,
    tokenAbove: first.tokenAbove,
    // A client that cannot be told of a grant takes no place: it would be passed over.
    enqueue: store.listening && (first.patient || callers.size > 1),
    place,
    // Those who wait here after the first one will want tokens too.
    reserve: callers.size > 1 || settings.lingerMs > 0,
  };
  return steals ? store.steal(name, request) : store.acquire(name, request);
}

function answered(
  machine: NameMachine,
  { entry, early }: Asking,
  reply: Grant | Queued,
  { sinceMs, ttlMs }: { sinceMs: number; ttlMs: number },
): void {
  const { callers, context, view } = machine;
  heard(machine);
  if (reply.is === 'granted') {
    take(machine, entry, reply, { sinceMs, ttlMs, longestMs: entry.longestMs }, cameFrom(entry));
    return;
  }
  view.notHolder(entry.id, reply, sinceMs);
  if (reply.place !== undefined) {
    enterQueue(machine, entry, reply, early);
    return;
  }
  callers.dismissImpatient();
  if (callers.size === 0) {
    // Taken, and no place was asked for: nothing was left in Redis.
    retire(machine);
    proceed(machine);
  } else if (context.store.listening) {
    ask(machine);
  } else {
    unanswered(machine, new Error('no subscription to the messages of Redis'), sinceMs);
  }
}
