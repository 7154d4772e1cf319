import type { Guarantee } from '@lastseat/booking/contract';
import { median, sum } from '@lastseat/lab-frame/statistics.ts';

import type { CheckVerdict } from '../runs/run.ts';
import type { Drill } from './drill.ts';
import { SELLS_AGAIN } from './judge-events.ts';
import { isMissedBy, worstOf, type Struck } from './judge-strike.ts';

/** What became of one strategy in one drill, over all its strikes. */
export interface Cell {
  drill: string;
  strategy: string;
  guarantee: Guarantee;
  /**
   * `broke`: it did not hold what it promises. `broke as it says`: what it does not promise. `not shown`: it had to be seen
   * to break, or was never struck where it was to be.
   */
  verdict: 'exact' | 'broke' | 'broke as it says' | 'not shown';
  strikes: number;
  /** Bookings that were struck between their read and their write, and how many of these events were oversold. */
  held: { struck: number; oversold: number };
  /** Tickets sold that there are not. */
  oversold: number;
  /** The longest of all strikes. */
  withoutSaleMs: number;
  /** The longest; null if one of them never sold again. */
  firstSaleMs: number | null;
  halfRateMs: number | null;
  /** Medians. */
  perSecond: { before: number; during: number; after: number };
  /** What of its floors it has not reached. */
  below: string[];
  requests: Struck['requests'];
  /** Of each check its gravest verdict. */
  checks: CheckVerdict[];
  /** Files beside drill.json: the histories of the strikes that broke it. */
  histories: string[];
}

export function cellOf(
  drill: Drill,
  { strategy, guarantee }: { strategy: string; guarantee: Guarantee },
  strikes: readonly Struck[],
  histories: readonly string[],
): Cell {
  const checks = worstOf(strikes.flatMap(({ checks }) => checks));
  const throughputs = strikes.map(({ throughput }) => throughput);
  const medianOf = (phase: 'before' | 'during' | 'after'): number =>
    median(throughputs.map(({ perSecond }) => perSecond[phase])) ?? 0;
  const perSecond = { before: medianOf('before'), during: medianOf('during'), after: medianOf('after') };
  const held = {
    struck: sum(strikes.map(({ held }) => held.struck)),
    oversold: sum(strikes.map(({ held }) => held.oversold)),
  };
  const withoutSaleMs = Math.max(0, ...throughputs.map(({ withoutSaleMs }) => withoutSaleMs));
  const below = (['during', 'after'] as const).filter(
    (phase) => perSecond[phase] < drill.floors[phase] * perSecond.before,
  );
  return {
    drill: drill.name,
    strategy,
    guarantee,
    verdict: verdictOf(drill, guarantee, strikes, checks),
    strikes: strikes.length,
    held,
    oversold: sum(strikes.map(({ oversold }) => oversold)),
    withoutSaleMs,
    firstSaleMs: longest(throughputs.map(({ firstSaleMs }) => firstSaleMs)),
    halfRateMs: longest(throughputs.map(({ halfRateMs }) => halfRateMs)),
    perSecond,
    below: [
      ...below.map((phase) => `${phase}: ${perSecond[phase]} of ${perSecond.before} a second`),
      ...tooLate(drill, withoutSaleMs),
    ],
    requests: {
      started: sum(strikes.map(({ requests }) => requests.started)),
      refused: sum(strikes.map(({ requests }) => requests.refused)),
      unknown: sum(strikes.map(({ requests }) => requests.unknown)),
      settled: sum(strikes.map(({ requests }) => requests.settled)),
    },
    checks,
    histories: [...histories],
  };
}

function verdictOf(
  drill: Drill,
  guarantee: Guarantee,
  strikes: readonly Struck[],
  checks: readonly CheckVerdict[],
): Cell['verdict'] {
  const failed = checks.some(({ verdict }) => verdict === 'failed');
  // No guard says that it may stop to sell for good.
  if (checks.some(({ check, verdict }) => check === SELLS_AGAIN && verdict === 'failed')) return 'broke';
  // On a machine that is slower than a lease what holds only under one breaks without any fault.
  const isExcused = guarantee === 'while-lease-held' && strikes.some(({ outlastedLease }) => outlastedLease);
  if (failed) return isExcused || drill.breaks.includes(guarantee) ? 'broke as it says' : 'broke';
  const isMissed = strikes.every((strike) => isMissedBy(drill, strike));
  return isMissed || drill.mustBreak?.includes(guarantee) ? 'not shown' : 'exact';
}

function tooLate({ sellsWithinMs = Infinity }: Drill, withoutSaleMs: number): string[] {
  if (withoutSaleMs <= sellsWithinMs) return [];
  return [`without a sale: ${withoutSaleMs / 1_000} s, and ${sellsWithinMs / 1_000} s are aimed for`];
}

function longest(times: readonly (number | null)[]): number | null {
  return times.reduce<number | null>(
    (longest, time) => (longest === null || time === null ? null : Math.max(longest, time)),
    0,
  );
}

// What is shorter is the way of a booking on a busy machine, and nobody notices.
const NOTICED_MS = 1_000;

/** For the matrix: what was wrong, or for how long nobody could buy. */
export function cellInWords({ verdict, checks, oversold, held, withoutSaleMs }: Cell): string {
  if (verdict === 'not shown') return 'not shown';
  if (verdict === 'exact') {
    return withoutSaleMs < NOTICED_MS ? 'exact' : `refused ${(withoutSaleMs / 1_000).toFixed(1)} s`;
  }
  if (held.oversold > 0) return `oversold ${held.oversold} of ${held.struck}`;
  if (oversold > 0) return `oversold ${oversold}`;
  return (checks.find(({ verdict }) => verdict === 'failed')?.check ?? verdict).replaceAll('_', ' ');
}
