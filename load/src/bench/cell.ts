import { MAX_CAPACITY, MAX_HOLD_S } from '@lastseat/booking/contract';

import { guardOf } from '../scenario.ts';
import { createEvents, type Limits, type Target } from '../target.ts';
import { faultIn } from './books.ts';
import { coresBetween, readCpu, type CpuReading } from './cpu-cores.ts';
import type { Edge } from './generator/send-load.ts';
import { HOLDS, KEYED, LIMITED, type Cell, type GuardName, type Workload } from './measurements.ts';
import type { Bench } from './step.ts';

export const BODY = JSON.stringify({ customer: 'bench', quantity: 1 });
export const NOOP_PATH = '/noop';

// The longest there is: so they end, and are swept, when the bench is over.
const HOLD_BODY = JSON.stringify({ customer: 'bench', quantity: 1, seconds: MAX_HOLD_S });

/**
 * Measures one workload for one window, on events that nobody has touched, and checks it against Postgres.
 * @param front another nginx than that of the stack; what it uses of the processors is not known
 */
export async function measureCell(
  bench: Bench,
  workload: Workload,
  timing: { repeat: number; warmUpMs: number; windowMs: number },
  front?: string,
): Promise<Cell> {
  const { stack, target, ledger, generator } = bench;
  const { guard, connections, events } = workload;
  const eventIds =
    guard === 'no-op' ? [] : await createFullEvents(target, `bench ${guard}`, events, limitsOf(guard));
  const paths = guard === 'no-op' ? [NOOP_PATH] : eventIds.map((id) => pathOf(guard, id));

  const readings: CpuReading[] = [];
  const { repeat, warmUpMs, windowMs } = timing;
  const result = await generator.send(
    {
      origins: [front ?? stack.url],
      paths,
      body: guard === HOLDS ? HOLD_BODY : BODY,
      hasKeys: guard === KEYED,
      hasCustomers: guard === LIMITED,
      connections,
      timing: { warmUpMs, windowMs },
    },
    (_edge: Edge, generatorS) => readings.push(readCpu(stack, generatorS)),
  );

  const { window } = result;
  const audit = guard === 'no-op' ? null : await ledger.audit(eventIds);
  const books = {
    started: result.started,
    answered: result.answered,
    statuses: result.statuses,
    rows: audit?.rows ?? null,
    uncounted: audit?.uncounted ?? 0,
  };
  return {
    ...workload,
    repeat,
    windowMs: Math.round(window.ms),
    bookingsPerS: Math.round((window.booked / window.ms) * 1_000),
    refusalsPerS: Math.round((window.refused / window.ms) * 1_000),
    latencyMs: window.latencyMs,
    cpuCores: front === undefined ? coresBetween(readings) : null,
    ...books,
    void: faultIn(guard, books),
  };
}

function pathOf(guard: Exclude<GuardName, 'no-op'>, eventId: number): string {
  if (guard === HOLDS) return `/events/${eventId}/holds`;
  if (guard === KEYED || guard === LIMITED) return `/events/${eventId}/bookings`;
  const atHome = /^(.+) at home$/.exec(guard)?.[1];
  if (atHome !== undefined) return `/events/${eventId}/bookings?strategy=${atHome}`;
  return guardOf(guard).path(eventId);
}

function limitsOf(guard: GuardName): Limits {
  return guard === LIMITED ? { maxPerCustomer: 4 } : {};
}

/** Fresh events with more tickets than any window can sell. */
export function createFullEvents(
  target: Target,
  name: string,
  count: number,
  limits: Limits = {},
): Promise<number[]> {
  const capacities = Array.from({ length: count }, () => MAX_CAPACITY);
  return createEvents(target, name, capacities, limits);
}
