import { setTimeout as sleep } from 'node:timers/promises';

import type { Drill } from '../drills/drill.ts';
import { nothingFailed } from '../drills/judge-events.ts';
import { startAll, strikeAndHeal } from '../drills/play-drill.ts';
import { isServed } from '../drills/throughput.ts';
import type { Arena } from '../faults/arena.ts';
import { openBuyers, type Buyers } from '../faults/buyers.ts';
import { outcomeOf, type Exchange } from '../generators/exchange.ts';
import type { CheckVerdict } from '../runs/run.ts';
import type { MixedLoad } from './mixed-load.ts';
import { patiently } from './patiently.ts';
import { together, type PlannedFault } from './plan.ts';

/** What became of one fault, or of two at the same time. */
export interface Fault {
  number: number;
  drills: string[];
  /** The replica that was struck, where it was one. */
  replica: string | null;
  /** Minutes since the soak began. */
  atMin: number;
  /** From the strike until it was healed. */
  lastedMs: number;
  /** From then on until every guard had sold again, or said that all was sold; null if one never did. */
  recoveredMs: number | null;
  /** Those that were sent from the strike until then. */
  requests: { sent: number; refused: number; unknown: number };
  /** Bookings that it has met between their read and their write. */
  heldStruck: number;
  /** Why it has not struck, in a sentence; null where it has. */
  missed: string | null;
  checks: CheckVerdict[];
}

/** Single buyers of one guard, whose bookings were held for the fault. */
export interface HeldSale {
  strategy: string;
  buyers: Buyers;
}

// What is left of the fault before: a replica that was healed answers what it had been asked.
const CALM_WITHIN_MS = 15_000;
const CALM_FOR_MS = 300;
// Leases of those who were struck, what Postgres grants an idle transaction, a restart, retries that back off: some
// seconds. Several times that, for who does not sell by then is found guilty.
const RECOVERED_WITHIN_MS = 30_000;
const POLL_MS = 50;
/** Of each guard: as many as meet any replica. */
const HELD = [1, 1];

export interface Struck {
  held: HeldSale[];
  /** Asked when everybody was answered. */
  fault(): Fault;
}

export async function strikeOne(
  arena: Arena,
  fault: PlannedFault,
  {
    loads,
    strategies,
    startedAtMs,
  }: { loads: readonly MixedLoad[]; strategies: readonly string[]; startedAtMs: number },
): Promise<Struck> {
  const { cluster, signal } = arena;
  const drill = together(fault.drills);
  await using resources = new AsyncDisposableStack();
  await untilCalm(loads, drill, signal);
  const held: HeldSale[] = [];
  for (const strategy of drill.holds ? strategies : []) {
    const buyers = await patiently(() => openBuyers(arena, strategy, HELD));
    held.push({ strategy, buyers: resources.use(buyers) });
  }
  const parts = (await cluster.parts()).filter(({ kind }) => kind === 'replica');
  const begunAtMs = performance.now();
  const scenery = {
    replicas: parts.map(({ name }) => name),
    buyers: held.map(({ buyers }) => buyers),
    eventIds: loads.map(({ eventIds }) => eventIds.at(-1) ?? 0),
    random: fault.random,
  };
  let strike: Awaited<ReturnType<typeof strikeAndHeal>> | null = null;
  let missed: string | null = null;
  try {
    strike = resources.use(await strikeAndHeal(arena, drill, scenery));
    if (strike.isMissed) missed = 'there was nothing to strike';
  } catch (error) {
    missed = (error as Error).message;
    // Whatever was left half struck: everything runs afterwards, or the soak is over.
    await patiently(() => startAll(arena));
  }
  const strikeAtMs = strike?.strikeAtMs ?? begunAtMs;
  const healedAtMs = strike?.healedAtMs ?? performance.now();
  const soldAtMs = await untilSelling(loads, healedAtMs, signal);
  await Promise.all(held.map(({ buyers }) => buyers.allAnswered()));
  const sent = loads.flatMap(({ exchanges }) => since(exchanges, strikeAtMs));
  const untilHealed = sent.filter(({ startedAtMs }) => startedAtMs < healedAtMs);
  const heldStruck = strike?.struck().length ?? 0;
  const isLost = soldAtMs === null && !signal.aborted;
  const lost = isLost ? [notRecovered(loads, healedAtMs)] : [];
  return {
    held,
    fault() {
      const outcomes = sent.map(outcomeOf);
      return {
        number: fault.number,
        drills: fault.drills.map(({ name }) => name),
        replica: strike?.replica ?? null,
        atMin: Math.round((strikeAtMs - startedAtMs) / 600) / 100,
        lastedMs: Math.round(healedAtMs - strikeAtMs),
        recoveredMs: soldAtMs === null ? null : Math.round(soldAtMs - healedAtMs),
        requests: {
          sent: sent.length,
          refused: outcomes.filter((outcome) => outcome === 'busy').length,
          unknown: outcomes.filter((outcome) => outcome === 'unknown').length,
        },
        heldStruck,
        missed,
        checks: [...(missed === null ? nothingFailed(drill, untilHealed) : []), ...lost],
      };
    },
  };
}

/**
 * Everybody has begun with the new events. Where no request may fail, none does any more because of the fault before:
 * nobody waits for longer than usual, and nobody was refused or cut off just now.
 */
async function untilCalm(
  loads: readonly MixedLoad[],
  { failsNothing = false }: Pick<Drill, 'failsNothing'>,
  signal: AbortSignal,
): Promise<void> {
  await sleep(CALM_FOR_MS, undefined, { signal }).catch(() => {});
  if (!failsNothing) return;
  const untilMs = performance.now() + CALM_WITHIN_MS;
  const sinceMs = performance.now();
  const isCalm = (load: MixedLoad): boolean => {
    const fromMs = performance.now() - CALM_FOR_MS;
    const answered = since(load.exchanges, Math.max(fromMs, sinceMs)).filter(({ answer }) => answer);
    return (
      fromMs > sinceMs &&
      answered.length > 0 &&
      answered.every(isServed) &&
      load.underWay().every(({ startedAtMs }) => startedAtMs > fromMs)
    );
  };
  while (!loads.every(isCalm) && performance.now() < untilMs && !signal.aborted) await sleep(POLL_MS);
}

/** When the last of the guards had decided a request that was sent after the fault was healed; null if one has not. */
async function untilSelling(
  loads: readonly MixedLoad[],
  healedAtMs: number,
  signal: AbortSignal,
): Promise<number | null> {
  const untilMs = healedAtMs + RECOVERED_WITHIN_MS;
  for (;;) {
    const decided = loads.map((load) => firstDecidedAtMs(load, healedAtMs));
    if (!decided.includes(null)) return Math.max(...decided.map(Number));
    if (performance.now() > untilMs || signal.aborted) return null;
    await sleep(POLL_MS);
  }
}

const DECIDED: ReadonlySet<string> = new Set(['booked', 'sold_out', 'all_held']);

function firstDecidedAtMs({ exchanges }: MixedLoad, sinceMs: number): number | null {
  const times = since(exchanges, sinceMs).flatMap(({ answer }) =>
    answer && DECIDED.has(answer.code) ? [answer.receivedAtMs] : [],
  );
  return times.length === 0 ? null : Math.min(...times);
}

function notRecovered(loads: readonly MixedLoad[], healedAtMs: number): CheckVerdict {
  const silent = loads.filter((load) => firstDecidedAtMs(load, healedAtMs) === null).map(({ name }) => name);
  const detail = `within ${RECOVERED_WITHIN_MS / 1_000} s after it was healed nothing was sold with ${silent.join(', ')}`;
  return { check: 'recovered', verdict: 'failed', detail };
}

/** Those that were sent from then on: the last ones, as they are in the order of their starts. */
function since(exchanges: readonly Exchange[], fromMs: number): Exchange[] {
  return exchanges.slice(exchanges.findLastIndex(({ startedAtMs }) => startedAtMs < fromMs) + 1);
}
