import type { Exchange } from '../generators/exchange.ts';
import { isUnknown } from '../tally.ts';

/** How a load fared before a fault, during it and afterwards. */
export interface Throughput {
  /** Requests that were answered as they should be, in a second. */
  perSecond: { before: number; during: number; after: number };
  /** The longest time in which nothing was sold, from the strike on, in milliseconds. */
  withoutSaleMs: number;
  /** From the end of the fault to the first booking; null if there was none. */
  firstSaleMs: number | null;
  /** From the end of the fault until there was half of the throughput of before, for half a second. */
  halfRateMs: number | null;
}

/** Times of `performance.now()`. */
export interface Phases {
  /** The load is as it will be: everything is connected and compiled. */
  steadyAtMs: number;
  strikeAtMs: number;
  healedAtMs: number;
  endedAtMs: number;
}

// Long enough for some dozens of answers.
const STRETCH_MS = 500;
const STEP_MS = 50;

export function throughputOf(exchanges: readonly Exchange[], phases: Phases): Throughput {
  const { steadyAtMs, strikeAtMs, healedAtMs, endedAtMs } = phases;
  const answered = exchanges.filter(isServed).flatMap(({ answer }) => answer?.receivedAtMs ?? []);
  const sales = exchanges.flatMap(({ answer }) => (answer?.code === 'booked' ? [answer.receivedAtMs] : []));
  const rate = (fromMs: number, toMs: number): number => {
    const seconds = Math.max(STEP_MS, toMs - fromMs) / 1_000;
    return answered.filter((atMs) => atMs >= fromMs && atMs < toMs).length / seconds;
  };
  const before = rate(steadyAtMs, strikeAtMs);
  const halfRateAtMs = firstTime(
    healedAtMs,
    endedAtMs - STRETCH_MS,
    (atMs) => before > 0 && rate(atMs, atMs + STRETCH_MS) >= before / 2,
  );
  const saleAfter = sales.filter((atMs) => atMs >= healedAtMs);
  // What was waiting is served at once when a fault is over: only then is it as it was.
  const recoveredAtMs = halfRateAtMs ?? healedAtMs;
  return {
    perSecond: {
      before: tenths(before),
      during: tenths(rate(strikeAtMs, healedAtMs)),
      after: tenths(rate(recoveredAtMs, endedAtMs)),
    },
    withoutSaleMs: longestGap([
      strikeAtMs,
      ...sales.filter((atMs) => atMs > strikeAtMs && atMs < endedAtMs),
      endedAtMs,
    ]),
    firstSaleMs: saleAfter.length === 0 ? null : Math.round(Math.min(...saleAfter) - healedAtMs),
    halfRateMs: halfRateAtMs === null ? null : Math.round(halfRateAtMs - healedAtMs),
  };
}

/** It was done, or refused for a reason that is the buyer's: not for one that is the service's. */
export function isServed(exchange: Exchange): boolean {
  const code = exchange.answer?.code;
  return code !== undefined && !isUnknown(exchange) && code !== 'busy' && code !== 'unavailable';
}

function firstTime(fromMs: number, untilMs: number, isTrue: (atMs: number) => boolean): number | null {
  for (let atMs = fromMs; atMs <= untilMs; atMs += STEP_MS) if (isTrue(atMs)) return atMs;
  return null;
}

function longestGap(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.round(
    sorted.reduce((longest, atMs, index) => Math.max(longest, atMs - (sorted[index - 1] ?? atMs)), 0),
  );
}

function tenths(rate: number): number {
  return Math.round(rate * 10) / 10;
}
