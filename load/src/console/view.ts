import type { ClusterPart } from '@lastseat/infra/cluster';
import type { Stack } from '@lastseat/infra/stack';

import { verdictOf, type Verdict } from '../report/verdict.ts';
import type { Run } from '../run.ts';
import { isUnknown } from '../tally.ts';
import type { FiguresByReplica, LiveSale, SeenInPostgres } from './live-sale.ts';

/** Everything that the page shows but the lanes. */
export interface ConsoleView {
  url: string;
  runtime: Stack['runtime'];
  parts: readonly ClusterPart[];
  /** Parts to which something is just being done. */
  busy: string[];
  isScaling: boolean;
  sale: SaleView | null;
  figures: FiguresByReplica;
  /** What was done, the latest first. */
  said: { at: string; text: string; isBad: boolean }[];
}

export interface SaleView {
  phase: 'preparing' | 'selling' | 'counting' | 'done' | 'failed';
  event: number | null;
  strategy: string;
  tickets: number;
  buyers: number;
  asked: number;
  answered: number;
  /** Null until Postgres was asked for the first time, or while it does not answer. */
  postgres: SeenInPostgres | null;
  verdict: Verdict | null;
  /** Requests whose end nobody was told; of those, what has a row in Postgres, as far as that was counted. */
  unknown: { count: number; booked: number | null };
  checks: { check: string; verdict: string; details: readonly string[]; isExpected: boolean }[];
  /** Why there is no verdict. */
  error: string | null;
}

export function saleView(
  { scenario, eventId, asked, attempts }: LiveSale,
  now: {
    phase: SaleView['phase'];
    seen: SeenInPostgres | null;
    result: Run | null;
    error: string | null;
  },
): SaleView {
  const { phase, seen, result, error } = now;
  return {
    phase,
    event: eventId,
    strategy: scenario.guard.name,
    tickets: scenario.crowd.tickets,
    buyers: scenario.crowd.buyers,
    asked,
    answered: attempts.length,
    postgres: seen,
    verdict: result && verdictOf(result),
    unknown: result
      ? { count: result.settled.unknown, booked: result.settled.done }
      : { count: attempts.filter(isUnknown).length, booked: null },
    checks: (result?.judgement.checks ?? []).map(({ check, verdict, details, isExpected }) => ({
      check,
      verdict,
      details,
      isExpected,
    })),
    error,
  };
}
