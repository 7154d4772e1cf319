import { RefusedError } from '../client/errors.ts';
import type { ReleaseOutcome } from '../lease.ts';
import { retryDelayMs } from '../retry-delay.ts';
import { type Entry, idle, type NameMachine, type NameState } from './name-state.ts';
import type { HandedOver, Queued } from './store.ts';
import type { Tenure } from './tenure.ts';

// What several states of a name have in common: how it gets into the queue, what silence means, and how all of it ends.

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

/** Under an id of its own, for a caller that wants the lock for that time. */
export function newEntry(machine: NameMachine, ttlMs: number): Entry {
  const entryId = machine.context.register(machine, ttlMs);
  return { ...entryId, place: undefined, longestMs: ttlMs, unsure: false };
}

/** Redis has answered. */
export function heard({ context, view }: NameMachine): void {
  view.heard(context.timers.clock.now());
}

/** Unknown: it may have been done. It is asked again, by the same id, for as long as that makes sense. */
export function unanswered(machine: NameMachine, cause: unknown, sentAtMs: number): void {
  const { callers, state, view } = machine;
  const { timers, settings } = machine.context;
  const now = timers.clock.now();
  const { sinceMs, failures } = view.unheard(cause, sentAtMs);
  if (state.is !== 'idle') state.entry.unsure = true;
  callers.dismissImpatient();
  if (cause instanceof RefusedError || now - sinceMs >= settings.unavailableAfterMs)
    callers.dismissAll(cause);
  const overdue = state.is === 'yielding' && now >= state.untilMs;
  if (callers.size === 0 || overdue) giveUp(machine);
  else if (state.is !== 'queued') timers.arm(machine, now + retryDelayMs(failures - 1));
}

/** Whether a question was not answered and is to be asked again. */
export function isPaused(machine: NameMachine): boolean {
  const { is } = machine.state;
  const asks = is === 'asking' || is === 'confirming' || is === 'yielding';
  return asks && machine.context.timers.isArmed(machine);
}

/** Ends all that the name has in Redis. The lock goes to the next one in the queue, in the same step. */
export function releaseAll(machine: NameMachine): Promise<ReleaseOutcome> {
  const { context, name, state } = machine;
  // Sent first: there is time for the rest while it is on its way.
  const released = state.is === 'idle' ? nothing : releaseEntry(machine, state);
  retire(machine);
  if (state.is === 'yielding') {
    const { id, number } = state.next;
    context.unregister(state.next);
    context.release(name, number, { id, lastToken: undefined, contended: false }).catch(ignored);
  }
  proceed(machine);
  return released;
}

/** The same where nobody waits for the outcome. */
export function giveUp(machine: NameMachine): void {
  releaseAll(machine).catch(ignored);
}

const nothing = Promise.resolve<ReleaseOutcome>('released');

const ignored = (): void => undefined;

function releaseEntry({ context, name }: NameMachine, state: Exclude<NameState, { is: 'idle' }>) {
  const { entry } = state;
  const { id, number } = entry;
  const request = { id, lastToken: lastTokenOf(state), contended: isContended(entry, tenureOf(state)) };
  return context.release(name, number, request);
}

/** What `ReleaseRequest.lastToken` asks for. */
function lastTokenOf(state: Exclude<NameState, { is: 'idle' }>): number | undefined {
  if (state.is === 'yielding') return state.request.lastToken;
  const tenure = tenureOf(state);
  if (tenure === undefined) return 0;
  // A question under way may be granted still, and with it tokens that nobody here will have seen.
  return state.entry.unsure ? tenure.lastToken : tenure.unusedAfter;
}

/** Others wait for it; or one of them had it before us, and is likely to have asked again since. */
function isContended(entry: Entry, tenure: Tenure | undefined): boolean {
  return tenure !== undefined && (tenure.asked || entry.place !== undefined);
}

/** The grant that the name has, if it has one. */
export function tenureOf(state: NameState): Tenure | undefined {
  return 'tenure' in state ? state.tenure : undefined;
}

/** Back to the beginning, with nothing in Redis. */
export function retire(machine: NameMachine): void {
  const { context, state, view } = machine;
  context.timers.disarm(machine);
  context.stopPolling(machine);
  tenureOf(state)?.deadline.end();
  if (state.is !== 'idle') context.unregister(state.entry);
  view.forgetEntry();
  machine.state = idle;
}

/** Begins anew for those who wait, if any do. */
export function proceed(machine: NameMachine): void {
  if (machine.callers.size > 0) {
    machine.ask();
    return;
  }
  // A caller that comes later is told nothing of the past.
  machine.view.forget();
  machine.context.forget(machine);
}
