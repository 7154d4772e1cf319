import type { Attempt } from '../attempt.ts';
import type { Wave } from '../crowd.ts';
import type { Operation } from '../history/operation.ts';
import { tally, type Crowd, type Tally } from '../tally.ts';
import type { Row, Truth } from '../truth.ts';

/** All that is known of a run when it is judged: what was asked, what was answered, what the database holds. */
export interface Evidence {
  crowd: Crowd;
  /** What a guard promises, and how much of the run may stay unknown. */
  terms: Terms;
  event: EventBefore;
  runId: string;
  replicas: Replicas;
  /** The buyers of unknown end whose request could be looked up, each with the booking that it has made or null. */
  lookUps: ReadonlyMap<string, string | null>;
  attempts: readonly Attempt[];
  waves: readonly Wave[];
  truth: Truth;
  /** Every operation with its times, those of unknown end as far as they could be settled. */
  history: readonly Operation[];
  tally: Tally;
  attemptOf: ReadonlyMap<string, Attempt>;
  rowsOf: ReadonlyMap<string, readonly Row[]>;
  rowById: ReadonlyMap<string, Row>;
}

export interface Terms {
  /** `exactly`: as many as there are, as long as somebody wants one. `too many`: a race is there to be seen. */
  sells: 'exactly' | 'too many';
  /** The strategy that every booking must name. */
  strategy: string;
  /** As many as there are said to be, or else as many as answer. */
  replicas: number;
  /** Requests that may end unknown. 0 unless something is cut on purpose. */
  maxUnknown: number;
  /** Who was sent away as busy comes no more, so that nobody lacks what they wanted. */
  isBusyFine?: boolean;
}

/** The event before anybody asked. */
export interface EventBefore {
  id: number;
  /** Counts its resets. */
  epoch: number;
}

/** Who could have taken part in a run. */
export interface Replicas {
  /** Those that answered both before the run and after it. */
  up: readonly string[];
  /** Of those that answered, the ones that are connected to Postgres under that name. */
  inPostgres: readonly string[];
}

export type RunFacts = Pick<
  Evidence,
  'crowd' | 'terms' | 'event' | 'runId' | 'replicas' | 'lookUps' | 'waves' | 'truth' | 'history'
>;

export function collectEvidence(facts: RunFacts): Evidence {
  const { crowd, waves, truth, terms } = facts;
  const attempts = waves.flatMap((wave) => wave.attempts);
  return {
    ...facts,
    attempts,
    tally: tally(crowd, waves, truth, terms),
    attemptOf: new Map(attempts.map((attempt) => [attempt.customer, attempt])),
    rowsOf: Map.groupBy(truth.rows, (row) => row.customer),
    rowById: new Map(truth.rows.map((row) => [row.id, row])),
  };
}
