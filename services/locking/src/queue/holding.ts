import { isEnoughFor, type Validity, validUntil } from '../lease-deadline.ts';
import type { HeldLease, ReleaseOutcome } from '../lease.ts';
import type { From } from './callers.ts';
import { enterQueue, giveUp, heard, newEntry, proceed, releaseAll, retire, unanswered } from './moves.ts';
import type { Confirming, Entry, Holding, NameMachine, Yielding } from './name-state.ts';
import type { Grant, HandedOver, NotHeld, Queued } from './store.ts';
import { Tenure } from './tenure.ts';

// ---------------------------------------------------------------------------------------------- the beginning

export function cameFrom({ place }: Entry): From {
  return place === undefined ? 'free' : 'queue';
}

/**
 * The lock was handed over, and the message says all that the first caller needs: it begins without asking Redis.
 * @returns whether that was enough for it
 */
export function takeAtOnce(machine: NameMachine, entry: Entry, grant: HandedOver): boolean {
  const { callers, context, view } = machine;
  const { first } = callers;
  const { token, ttlMs } = grant;
  if (first === undefined || token <= first.tokenAbove || !view.isCredible(token)) return false;
  const validity = { sinceMs: view.validSinceMs, ttlMs, longestMs: ttlMs };
  const leftMs = validUntil(validity) - context.timers.clock.now();
  if (!isEnoughFor(first.ttlMs, leftMs, ttlMs)) return false;
  context.stopPolling(machine);
  heard(machine);
  take(machine, entry, grant, validity, cameFrom(entry), true);
  return true;
}

/** @param isEnough for the first caller. Otherwise it is enough only if Redis was asked for the TTL of that caller. */
export function take(
  machine: NameMachine,
  entry: Entry,
  grant: Grant,
  validity: Validity,
  from: From,
  isEnough = false,
): void {
  const { callers, context } = machine;
  const { first, size } = callers;
  const terms = first ?? { ttlMs: validity.ttlMs, renew: false, maxHoldMs: Infinity };
  const tenure = new Tenure(machine, context, entry.id, { grant, terms, validity, waiters: size });
  const holding: Holding = { is: 'holding', entry, tenure };
  machine.state = holding;
  if (first === undefined) {
    context.emit?.({ type: 'stale-grant', lock: machine.name });
    giveUp(machine);
    return;
  }
  if (isEnough || (validity.ttlMs === first.ttlMs && validity.longestMs <= first.ttlMs))
    begin(machine, holding, from);
  else confirm(machine, holding);
}

/** Redis keeps the lock for another time than the first caller wants. Redis is told, and then that caller begins. */
export function confirm(machine: NameMachine, { entry, tenure }: Holding | Confirming): void {
  const { callers, context } = machine;
  const { first } = callers;
  if (first === undefined) {
    giveUp(machine);
    return;
  }
  context.timers.disarm(machine);
  const state: Confirming = { is: 'confirming', entry, tenure };
  machine.state = state;
  const sentAtMs = context.timers.clock.now();
  tenure.deadline.extend(first.ttlMs).then(
    () => {
      // If the lock was lost, `onLoss` has changed the state.
      if (machine.state !== state) return;
      heard(machine);
      if (callers.first?.ttlMs !== first.ttlMs) {
        confirm(machine, state);
        return;
      }
      const holding: Holding = { is: 'holding', entry, tenure };
      machine.state = holding;
      begin(machine, holding, cameFrom(entry));
    },
    (cause: unknown) => {
      if (machine.state === state) unanswered(machine, cause, sentAtMs);
    },
  );
}

/** A caller has come while the lock lingers. */
export function resume(machine: NameMachine, { entry, tenure }: { entry: Entry; tenure: Tenure }): void {
  const holding: Holding = { is: 'holding', entry, tenure };
  machine.state = holding;
  begin(machine, holding, 'linger');
}

function begin(machine: NameMachine, holding: Holding, from: From): void {
  // If it is not held any more (the reply came after the deadline), the loss has made the machine ask anew.
  if (!holding.tenure.deadline.isHeld()) return;
  if (!serve(machine, holding, from)) yieldTenure(machine, holding).catch(() => undefined);
}

/** Gives the lock, which is held, to the first waiter, unless no token is left for it. */
function serve(machine: NameMachine, { tenure }: Holding, from: From): boolean {
  const waiter = machine.callers.first;
  const lease = waiter === undefined ? undefined : tenure.serve(waiter);
  if (waiter === undefined || lease === undefined) return false;
  machine.context.timers.disarm(machine);
  machine.callers.grant(waiter, lease, from);
  return true;
}

// ---------------------------------------------------------------------------------------------- the end

/** Called by a lease of the tenure, which is held at this moment. */
export function release(machine: NameMachine, lease: HeldLease): Promise<ReleaseOutcome> | ReleaseOutcome {
  const { callers, context, state } = machine;
  if (state.is !== 'holding') return 'gone';
  const { entry, tenure } = state;
  tenure.returned(lease);
  if (callers.size > 0) {
    if (!tenure.isOver() && serve(machine, state, 'tenure')) return 'released';
    return tenure.confirmed(lease, yieldTenure(machine, state));
  }
  const { timers, settings } = context;
  if (settings.lingerMs === 0 || tenure.asked) return tenure.confirmed(lease, releaseAll(machine));
  machine.state = { is: 'lingering', entry, tenure };
  timers.arm(machine, timers.clock.now() + settings.lingerMs);
  return 'released';
}

/** Other processes may be waiting: they have a tenure now, and those who wait here have their next one after it. */
function yieldTenure(machine: NameMachine, { entry, tenure }: Holding): Promise<ReleaseOutcome> {
  const { callers, context } = machine;
  const { timers } = context;
  const { first } = callers;
  if (first === undefined) return releaseAll(machine);
  const { ttlMs } = first;
  const next = newEntry(machine, ttlMs);
  const { firstToken, lastToken } = tenure;
  // A Redis that has lost what it was told last (a failover) may know this id by an earlier token: it is not given twice.
  const tokenAbove = Math.max(first.tokenAbove, lastToken);
  const request = { id: entry.id, nextId: next.id, firstToken, lastToken, ttlMs, tokenAbove };
  timers.disarm(machine);
  tenure.deadline.end();
  const untilMs = timers.clock.now() + ttlMs;
  return sendYield(machine, { is: 'yielding', entry, next, request, untilMs, early: undefined });
}

/** For the first time, or again after silence. */
export async function sendYield(machine: NameMachine, yielding: Yielding): Promise<ReleaseOutcome> {
  const { context, name } = machine;
  const state: Yielding = { ...yielding };
  machine.state = state;
  const sentAtMs = context.timers.clock.now();
  try {
    const reply = await context.store.yield(name, state.request);
    if (machine.state === state) yielded(machine, state, reply, sentAtMs);
    return reply.is === 'gone' || reply.is === 'taken' ? reply.is : 'released';
  } catch (error) {
    if (machine.state === state) unanswered(machine, error, sentAtMs);
    throw error;
  }
}

function yielded(
  machine: NameMachine,
  { entry, next, request, early }: Yielding,
  reply: Grant | Queued | NotHeld,
  sentAtMs: number,
): void {
  const { context, name, view } = machine;
  const { ttlMs } = request;
  heard(machine);
  if (reply.is === 'granted') {
    context.unregister(next);
    entry.longestMs = ttlMs;
    take(machine, entry, reply, { sinceMs: sentAtMs, ttlMs, longestMs: ttlMs }, 'tenure');
    return;
  }
  retire(machine);
  if (reply.is !== 'queued') {
    context.unregister(next);
    proceed(machine);
    return;
  }
  context.emit?.({ type: 'handed-over', lock: name });
  view.notHolder(next.id, reply, sentAtMs);
  enterQueue(machine, next, reply, early);
}
