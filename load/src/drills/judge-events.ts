import type { Sent } from '../generators/exchange.ts';
import type { Operation } from '../history/operation.ts';
import { judgeSlice } from '../lab/judge-slice.ts';
import type { Cell, CheckVerdict, LabStrategy } from '../runs/run.ts';
import { isUnknown } from '../tally.ts';
import type { Target } from '../target.ts';
import { openOracle } from '../truth.ts';
import { storm } from '../workloads/storm.ts';
import type { Workload } from '../workloads/workload.ts';
import type { SteadyLoad } from './steady-load.ts';
import type { Phases, Throughput } from './throughput.ts';

/** What was done to a system under load. */
export interface Trial {
  name: string;
  what: string;
  /** It is planned work, which is no reason to fail a request. */
  failsNothing?: boolean | undefined;
}

/** Where it was done. */
export interface Place {
  target: Target;
  /** Replicas, as many as there are before it and after it. */
  size: number;
}

/** What one guard sold meanwhile. */
export interface SoldMeanwhile extends Pick<
  SteadyLoad,
  'strategy' | 'runId' | 'eventIds' | 'tickets' | 'created'
> {
  sent: Sent;
  exempt: Workload['exempt'];
}

/** By the checks of the lab. What ended unknown is settled first: Postgres is read when nothing can be written any more. */
export async function judgeEvents(
  { name, what, failsNothing = false }: Trial,
  { target, size }: Place,
  { exempt, sent, strategy, ...sale }: SoldMeanwhile,
): Promise<{ checks: CheckVerdict[]; operations: Operation[] }> {
  const cell: Cell = {
    workload: name,
    // One of a file is taken for one of the lab's own.
    strategy: strategy as LabStrategy,
    replicas: size,
    connections: sent.exchanges.length,
    sells: 'exactly',
    slices: [],
  };
  // A connection of its own: one of before may have been cut, and all are judged at the same time.
  await using oracle = await openOracle(target.postgresUrl);
  const unknown = failsNothing ? [] : (['ended_unknown'] as const);
  return await judgeSlice({
    ...sale,
    cell,
    workload: {
      name,
      what,
      tickets: () => [...sale.tickets],
      requests: () => sent.exchanges.length,
      client: () => ({ next: () => ({ operation: 'read', event: 0 }) }),
      counts: storm.counts,
      exempt: [...exempt, ...unknown],
    },
    target,
    oracle,
    before: [],
    sent,
    generator: { loop: 'closed', offeredPerS: null, achievedPerS: null, lagMs: { p50: 0, p99: 0, max: 0 } },
    maxUnknown: Infinity,
  });
}

/** Planned work is no reason to fail a request. That a guard makes somebody wait for too long is its own doing. */
export function nothingFailed({ failsNothing }: Trial, exchanges: Sent['exchanges']): CheckVerdict[] {
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

export const SELLS_AGAIN = 'sells-again';

/** Whatever was struck, it is mended by now, and nobody has to do anything else. */
export function sellsAgain({ firstSaleMs }: Throughput, { healedAtMs, endedAtMs }: Phases): CheckVerdict {
  const check = SELLS_AGAIN;
  if (firstSaleMs !== null) return { check, verdict: 'passed', detail: null };
  const seconds = Math.round((endedAtMs - healedAtMs) / 1_000);
  return {
    check,
    verdict: 'failed',
    detail: `nobody has bought within ${seconds} s of the end of the fault`,
  };
}
