import { RefusedError } from '../client/errors.ts';
import { retryDelayMs } from '../retry-delay.ts';
import { giveUp } from './ending.ts';
import type { NameMachine } from './name-state.ts';

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
