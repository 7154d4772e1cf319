import type { ReleaseOutcome } from '../lease.ts';
import { type Entry, idle, type NameMachine, type NameState } from './name-state.ts';
import type { Tenure } from './tenure.ts';

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
  // Whoever comes later has a beginning of its own.
  machine.view.forget();
  machine.context.forget(machine);
}
