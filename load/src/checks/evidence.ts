import type { StrategyName } from '@lastseat/booking/contract';

import type { Attempt, Wave } from '../crowd.ts';
import { tally, type Crowd, type Tally } from '../tally.ts';
import type { Row, Truth } from '../truth.ts';

/** All that is known of a run when it is judged: what was asked, what was answered, what the database holds. */
export interface Evidence {
  crowd: Crowd;
  /** What a guard promises, and how much of the run may stay unknown. */
  terms: Terms;
  attempts: readonly Attempt[];
  waves: readonly Wave[];
  truth: Truth;
  tally: Tally;
  attemptOf: ReadonlyMap<string, Attempt>;
  rowsOf: ReadonlyMap<string, readonly Row[]>;
  rowById: ReadonlyMap<string, Row>;
}

export interface Terms {
  /** `exactly`: as many as there are, as long as somebody wants one. `too many`: a race is there to be seen. */
  sells: 'exactly' | 'too many';
  /** The strategy that every booking must name; null if the route may choose. */
  strategy: StrategyName | null;
  /** Null if nobody said how many there are: then it is not judged how many took part. */
  replicas: number | null;
  /** Requests that may end unknown. 0 unless something is cut on purpose. */
  maxUnknown: number;
}

export function collectEvidence(crowd: Crowd, terms: Terms, waves: readonly Wave[], truth: Truth): Evidence {
  const attempts = waves.flatMap((wave) => wave.attempts);
  return {
    crowd,
    terms,
    attempts,
    waves,
    truth,
    tally: tally(crowd, waves, truth),
    attemptOf: new Map(attempts.map((attempt) => [attempt.customer, attempt])),
    rowsOf: Map.groupBy(truth.rows, (row) => row.customer),
    rowById: new Map(truth.rows.map((row) => [row.id, row])),
  };
}
