import { PROXY_INSTANCE_ID } from '@lastseat/booking/contract';
import { percentile, sum } from '@lastseat/lab-frame/statistics.ts';

import type { Attempt } from './attempt.ts';
import type { Wave } from './crowd.ts';
import type { Truth } from './truth.ts';

/** What was asked of a run. */
export interface Crowd {
  tickets: number;
  buyers: number;
  /** Tickets that each buyer wants, all or none. */
  quantity: number;
  connections: number;
  raceWindowMs: number;
}

/** Every number of a run. Programs read these names in the JSON report: add, but do not rename. */
export interface Tally {
  requests: {
    started: number;
    answered: number;
    /** Started and never answered: booked or not, nobody was told. */
    unanswered: number;
    /** Of those, how many ran into the time-out; the others were cut off. */
    timedOut: number;
    /** Unanswered, or answered in a way that leaves open whether it was booked. */
    unknown: number;
    /** Attempts after the first of a buyer. */
    retries: number;
    /** Answers that no request was waiting for. */
    stray: number;
  };
  /** Answers by outcome code; `http_502` and the like for those that name no outcome. */
  answers: Record<string, number>;
  /** How each buyer ended. */
  buyers: {
    booked: number;
    soldOut: number;
    /** Told `busy` or `unavailable` on the last attempt. */
    gaveUp: number;
    /** Never told whether they have a booking. */
    unknown: number;
    /** Ended with an answer that is no outcome of a booking. */
    refusedOtherwise: number;
    neverAsked: number;
  };
  tickets: {
    capacity: number;
    /** What the counter says is left. */
    available: number;
    /** Wanted by buyers who asked; without those of unknown end who, as the database shows, got nothing. */
    demanded: number;
    /** min(capacity, demand): what an exact guard sells, in whole orders. */
    expected: number;
    /** In booking rows. */
    confirmed: number;
    oversold: number;
    undersold: number;
  };
  bookings: number;
  /** From building the request to the last byte of its answer, connecting included; null without answers. */
  latencyMs: { p50: number; p90: number; p99: number; max: number } | null;
  instances: {
    /** Answered somebody who asked before the last ticket was gone. */
    contended: string[];
    won: string[];
    lost: string[];
    /** Answers per instance. */
    requests: Record<string, number>;
  };
}

export function tally(
  crowd: Crowd,
  waves: readonly Wave[],
  truth: Truth,
  { isBusyFine = false }: { isBusyFine?: boolean } = {},
): Tally {
  const attempts = waves.flatMap((wave) => wave.attempts);
  const answered = attempts.filter((attempt) => attempt.answer);
  const buyers = endOfBuyers(waves);
  const rows = new Set(truth.rows.map((row) => row.customer));
  const lastAttempts = new Map(attempts.map((attempt) => [attempt.buyer, attempt]));
  const lostWithoutRow = [...lastAttempts.values()].filter(
    (attempt) => isUnknown(attempt) && !rows.has(attempt.customer),
  ).length;
  const wanting = lastAttempts.size - lostWithoutRow - (isBusyFine ? buyers.gaveUp : 0);
  const confirmed = sum(truth.rows.map((row) => row.quantity));
  const expected = Math.min(Math.floor(truth.capacity / crowd.quantity), wanting) * crowd.quantity;
  return {
    requests: {
      started: attempts.length,
      answered: answered.length,
      unanswered: attempts.length - answered.length,
      timedOut: sum(waves.map((wave) => wave.client.timedOut)),
      unknown: attempts.filter(isUnknown).length,
      retries: attempts.filter((attempt) => attempt.number > 1).length,
      stray: sum(waves.map((wave) => wave.strayAnswers)),
    },
    answers: countBy(answered, (attempt) => attempt.answer?.code),
    buyers,
    tickets: {
      capacity: truth.capacity,
      available: truth.available,
      demanded: wanting * crowd.quantity,
      expected,
      confirmed,
      oversold: Math.max(0, confirmed - truth.capacity),
      undersold: Math.max(0, expected - confirmed),
    },
    bookings: truth.rows.length,
    latencyMs: latencies(attempts),
    instances: instances(attempts),
  };
}

/**
 * Nobody can say whether it was booked, except the database: no answer, `unknown`, or a server error that names no
 * outcome, such as the 502 of a proxy whose replica died with the booking in its hands.
 */
export function isUnknown({ answer }: Attempt): boolean {
  return answer === null || answer.code === 'unknown' || answer.code.startsWith('http_5');
}

/** Those who asked before the last booking was answered: whoever came later found the sale over. */
export function contenders(attempts: readonly Attempt[]): Attempt[] {
  const answered = attempts.filter(({ answer }) => answer);
  const wins = answered.flatMap(({ answer }) => (answer?.code === 'booked' ? [answer.receivedAtMs] : []));
  if (wins.length === 0) return answered;
  const lastWinMs = wins.reduce((latest, win) => Math.max(latest, win));
  return answered.filter(({ startedAtMs }) => startedAtMs <= lastWinMs);
}

function endOfBuyers(waves: readonly Wave[]): Tally['buyers'] {
  const last = new Map(waves.flatMap((wave) => wave.attempts).map((attempt) => [attempt.buyer, attempt]));
  const ends = { booked: 0, soldOut: 0, gaveUp: 0, unknown: 0, refusedOtherwise: 0 };
  for (const attempt of last.values()) {
    const code = attempt.answer?.code;
    if (isUnknown(attempt)) ends.unknown += 1;
    else if (code === 'booked') ends.booked += 1;
    else if (code === 'sold_out') ends.soldOut += 1;
    else if (code === 'busy' || code === 'unavailable') ends.gaveUp += 1;
    else ends.refusedOtherwise += 1;
  }
  return { ...ends, neverAsked: waves[0]?.neverAsked ?? 0 };
}

function instances(attempts: readonly Attempt[]): Tally['instances'] {
  const inContention = contenders(attempts);
  const won = inContention.filter((attempt) => attempt.answer?.code === 'booked');
  const lost = inContention.filter((attempt) => attempt.answer?.code === 'sold_out');
  return {
    contended: names(inContention),
    won: names(won),
    lost: names(lost),
    requests: countBy(attempts, (attempt) => attempt.answer?.instanceId ?? undefined),
  };
}

/** Of the replicas that answered: what nginx says in place of one is nobody's part in a contention. */
export function names(attempts: readonly Attempt[]): string[] {
  return Object.keys(countBy(attempts, (attempt) => attempt.answer?.instanceId ?? undefined)).filter(
    (name) => name !== PROXY_INSTANCE_ID,
  );
}

function latencies(attempts: readonly Attempt[]): Tally['latencyMs'] {
  const sorted = attempts
    .flatMap(({ startedAtMs, answer }) => (answer ? [answer.receivedAtMs - startedAtMs] : []))
    .sort((a, b) => a - b);
  // Nearest rank: a latency that somebody really had, not one between two.
  const at = (share: number): number => round(percentile(sorted, share));
  return sorted.length === 0 ? null : { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** Sorted by key, so that two reports of like runs read alike. */
function countBy<T, K extends string>(
  things: readonly T[],
  keyOf: (thing: T) => K | undefined,
): Record<K, number> {
  const counts = new Map<K, number>();
  for (const thing of things) {
    const key = keyOf(thing);
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Object.fromEntries(
    [...counts].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })),
  ) as Record<K, number>;
}
