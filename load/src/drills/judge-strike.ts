import { LEASE_MS, type Arena } from '../faults/arena.ts';
import type { Buyers } from '../faults/buyers.ts';
import type { Held } from '../faults/held-bookings.ts';
import type { Exchange, Sent } from '../generators/exchange.ts';
import type { Operation } from '../history/operation.ts';
import { judgeSlice } from '../lab/judge-slice.ts';
import type { Cell, CheckVerdict, LabStrategy } from '../runs/run.ts';
import { isUnknown } from '../tally.ts';
import { openOracle } from '../truth.ts';
import { storm } from '../workloads/storm.ts';
import type { Workload } from '../workloads/workload.ts';
import type { Drill } from './drill.ts';
import { STEADY, type SteadyLoad } from './steady-load.ts';
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
  const struck = part.struck.filter((held) => held.buyers === buyers);
  const exchanges = [...(sent?.exchanges ?? []), ...(buyers?.exchanges ?? [])];
  const [steady, held] = await Promise.all([
    sent && judgeEvents(trial, load.strategy, { ...load, sent, exempt: STEADY.exempt }),
    buyers &&
      buyers.exchanges.length > 0 &&
      judgeEvents(trial, load.strategy, { ...buyers, ...creationOf(buyers), exempt: SINGLE_BUYERS }),
  ]);
  const operations = [...(steady?.operations ?? []), ...(held ? held.operations : [])];
  const oversold = new Map(
    operations.flatMap(({ operation, event, free }) =>
      operation === 'count' && free !== null && free < 0 ? [[event, -free] as const] : [],
    ),
  );
  const isOversold = ({ event }: Held): boolean => oversold.has(buyers?.eventIds[event] ?? 0);
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
    held: { struck: struck.length, oversold: struck.filter(isOversold).length },
    outlastedLease: exchanges.some(({ startedAtMs, answer }) => {
      return answer === null || answer.receivedAtMs - startedAtMs > LEASE_MS;
    }),
    oversold: [...oversold.values()].reduce((sum, tickets) => sum + tickets, 0),
    checks: worstOf([
      ...(steady?.checks ?? []),
      ...(held ? held.checks : []),
      ...nothingFailed(trial.drill, exchanges),
      ...(trial.arena.signal.aborted ? [] : [sellsAgain(throughput, trial.phases)]),
    ]),
    operations,
  };
}

/** Whatever was struck, it is mended by now, and nobody has to do anything else. */
function sellsAgain({ firstSaleMs }: Throughput, { healedAtMs, endedAtMs }: Phases): CheckVerdict {
  const check = 'sells-again';
  if (firstSaleMs !== null) return { check, verdict: 'passed', detail: null };
  const seconds = Math.round((endedAtMs - healedAtMs) / 1_000);
  return {
    check,
    verdict: 'failed',
    detail: `nobody has bought within ${seconds} s of the end of the fault`,
  };
}

function isRefused({ answer }: Exchange): boolean {
  return answer?.code === 'busy' || answer?.code === 'unavailable';
}

/** Planned work is no reason to fail a request. That a guard makes somebody wait for too long is its own doing. */
function nothingFailed({ failsNothing }: Drill, exchanges: readonly Exchange[]): CheckVerdict[] {
  if (!failsNothing) return [];
  const check = 'no-request-failed';
  const failed = exchanges.filter(
    (exchange) => isUnknown(exchange) || exchange.answer?.code === 'unavailable',
  );
  if (failed.length === 0) return [{ check, verdict: 'passed', detail: null }];
  const how = Map.groupBy(failed, ({ answer }) => answer?.code ?? 'no answer');
  const detail = [...how].map(([code, { length }]) => `${length} ${code}`).join(', ');
  return [
    {
      check,
      verdict: 'failed',
      detail: `${failed.length} of ${exchanges.length} requests failed: ${detail}`,
    },
  ];
}

const rank = ({ verdict, isExpected }: CheckVerdict): number =>
  verdict === 'failed' ? (isExpected ? 2 : 3) : verdict === 'not shown' ? 1 : 0;

/** Of several that say something of the same check, the gravest one. */
export function worstOf(checks: readonly CheckVerdict[]): CheckVerdict[] {
  return [...Map.groupBy(checks, ({ check }) => check).values()].flatMap((same) =>
    same.toSorted((a, b) => rank(b) - rank(a)).slice(0, 1),
  );
}

// A handful of buyers, one after the other, is no crowd.
const SINGLE_BUYERS: Workload['exempt'] = [
  'never_sold_out',
  'contention_not_shown',
  'one_instance',
  'losers_on_one_instance',
  'replica_left_out',
  'not_in_postgres',
];

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

interface Sale extends Pick<SteadyLoad, 'runId' | 'eventIds' | 'tickets' | 'created'> {
  sent: Sent;
  exempt: Workload['exempt'];
}

async function judgeEvents(
  { arena, drill }: Pick<Trial, 'arena' | 'drill'>,
  strategy: string,
  { exempt, sent, ...sale }: Sale,
): Promise<{ checks: CheckVerdict[]; operations: Operation[] }> {
  const cell: Cell = {
    workload: drill.name,
    // One of a file is taken for one of the lab's own.
    strategy: strategy as LabStrategy,
    replicas: arena.size,
    connections: sent.exchanges.length,
    sells: 'exactly',
    slices: [],
  };
  // A connection of its own: one of before may have been cut, and all are judged at the same time.
  await using oracle = await openOracle(arena.stack.postgresUrl);
  const unknown = drill.failsNothing ? [] : (['ended_unknown'] as const);
  return await judgeSlice({
    ...sale,
    cell,
    workload: {
      name: drill.name,
      what: drill.what,
      tickets: () => [...sale.tickets],
      requests: () => sent.exchanges.length,
      client: () => ({ next: () => ({ operation: 'read', event: 0 }) }),
      counts: storm.counts,
      exempt: [...exempt, ...unknown],
    },
    target: arena.target,
    oracle,
    before: [],
    sent,
    generator: { loop: 'closed', offeredPerS: null, achievedPerS: null, lagMs: { p50: 0, p99: 0, max: 0 } },
    maxUnknown: Infinity,
  });
}
