import { LEASE_MS, type Arena } from '../faults/arena.ts';
import type { Buyers } from '../faults/buyers.ts';
import type { Held } from '../faults/held-bookings.ts';
import type { Exchange, Sent } from '../generators/exchange.ts';
import type { Operation } from '../history/operation.ts';
import type { CheckVerdict } from '../runs/run.ts';
import { isUnknown } from '../tally.ts';
import type { Drill } from './drill.ts';
import {
  judgeEvents,
  nothingFailed,
  sellsAgain,
  type Place,
  type Trial as EventsTrial,
} from './judge-events.ts';
import { NO_CROWD, STEADY, type SteadyLoad } from './steady-load.ts';
import { throughputOf, type Phases, type Throughput } from './throughput.ts';

/** What one strike has done to one strategy. */
export interface Struck {
  strategy: string;
  /** The one that was struck, where the drill strikes one. */
  replica: string | null;
  throughput: Throughput;
  requests: {
    started: number;
    /** Told `busy` or `unavailable`: nothing was written. */
    refused: number;
    /** Never told whether it was done, and of these, how many Postgres has settled. */
    unknown: number;
    settled: number;
  };
  /** There was nothing to strike. */
  isMissed: boolean;
  /** Bookings that it met between their read and their write, and how many of their events were oversold. */
  held: { struck: number; oversold: number };
  /** What those were told who wanted the tickets that were held. */
  told: string[];
  /** Somebody waited for longer than a lease: a holder may have outlived his, without any fault. */
  outlastedLease: boolean;
  /** Tickets sold that there are not, of all events. */
  oversold: number;
  checks: CheckVerdict[];
  operations: Operation[];
}

export interface Trial {
  arena: Arena;
  drill: Drill;
  replica: string | null;
  phases: Phases;
  isMissed: boolean;
}

/** Whoever was not struck where he was to be has shown nothing. */
export function isMissedBy({ holds = false }: Drill, { isMissed, held }: Pick<Struck, 'isMissed' | 'held'>) {
  return isMissed || (holds && held.struck === 0);
}

/** One strategy in it: its load, and those who were held and who wanted the same tickets. */
export interface Part {
  load: SteadyLoad;
  sent: Sent | undefined;
  buyers: Buyers | undefined;
  /** Of all strategies. */
  struck: readonly Held[];
  told: string[];
}

/** By the checks of the lab: those of the load, and those of the events that had a booking held. */
export async function judgeStrike(trial: Trial, part: Part): Promise<Struck> {
  const { load, sent, buyers, told } = part;
  const { arena, drill } = trial;
  const struck = part.struck.filter((held) => held.buyers === buyers);
  const exchanges = [...(sent?.exchanges ?? []), ...(buyers?.exchanges ?? [])];
  const [steady, held] = await Promise.all([
    sent && judgeEvents(drill, arena, { ...load, sent, exempt: STEADY.exempt }),
    buyers && judgeBuyers(drill, arena, load.strategy, buyers),
  ]);
  const operations = [...(steady?.operations ?? []), ...(held ? held.operations : [])];
  const unknown = operations.filter(({ outcome }) => outcome === 'unknown');
  const throughput = throughputOf(sent?.exchanges ?? [], trial.phases);
  return {
    strategy: load.strategy,
    replica: trial.replica,
    told,
    throughput,
    requests: {
      started: exchanges.length,
      refused: exchanges.filter(isRefused).length,
      unknown: exchanges.filter(isUnknown).length,
      settled: unknown.filter(({ settled }) => settled !== 'open').length,
    },
    isMissed: trial.isMissed,
    ...oversoldOf(operations, struck),
    outlastedLease: exchanges.some(({ startedAtMs, answer }) => {
      return answer === null || answer.receivedAtMs - startedAtMs > LEASE_MS;
    }),
    checks: worstOf([
      ...(steady?.checks ?? []),
      ...(held ? held.checks : []),
      ...nothingFailed(drill, exchanges),
      ...(arena.signal.aborted ? [] : [sellsAgain(throughput, trial.phases)]),
    ]),
    operations,
  };
}

/** By the rows, whatever the counter says; and of the bookings that were struck, how many had an event that was oversold. */
export function oversoldOf(
  operations: readonly Operation[],
  struck: readonly Held[],
): Pick<Struck, 'held' | 'oversold'> {
  const oversold = new Map(
    operations.flatMap(({ operation, event, free }) =>
      operation === 'count' && free !== null && free < 0 ? [[event, -free] as const] : [],
    ),
  );
  const isOversold = ({ buyers, event }: Held): boolean => oversold.has(buyers.eventIds[event] ?? 0);
  return {
    held: { struck: struck.length, oversold: struck.filter(isOversold).length },
    oversold: [...oversold.values()].reduce((sum, tickets) => sum + tickets, 0),
  };
}

function isRefused({ answer }: Exchange): boolean {
  return answer?.code === 'busy' || answer?.code === 'unavailable';
}

const rank = ({ verdict, isExpected }: CheckVerdict): number =>
  verdict === 'failed' ? (isExpected ? 2 : 3) : verdict === 'not shown' ? 1 : 0;

/** Of several that say something of the same check, the gravest one. */
export function worstOf(checks: readonly CheckVerdict[]): CheckVerdict[] {
  return [...Map.groupBy(checks, ({ check }) => check).values()].flatMap((same) =>
    same.toSorted((a, b) => rank(b) - rank(a)).slice(0, 1),
  );
}

/** By the checks of the lab, what single buyers were told; null where they asked for nothing. */
export async function judgeBuyers(trial: EventsTrial, place: Place, strategy: string, buyers: Buyers) {
  if (buyers.exchanges.length === 0) return null;
  return judgeEvents(trial, place, { strategy, ...buyers, ...creationOf(buyers), exempt: NO_CROWD });
}

function creationOf({ exchanges }: Buyers) {
  const now = performance.now();
  const createdMs = Math.min(now, ...exchanges.map(({ startedAtMs }) => startedAtMs));
  const sent: Sent = {
    exchanges,
    window: { fromMs: createdMs, untilMs: now },
    strayAnswers: 0,
    counted: null,
    offeredPerS: null,
    achievedPerS: null,
  };
  return { created: { startMs: createdMs - 1, endMs: createdMs }, sent };
}
