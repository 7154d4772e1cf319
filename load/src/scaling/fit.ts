import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';

import { batchOf, type Costs } from './model.ts';

/** Nothing else is fitted to: every other cell of every run is predicted. */
export const FITTED_TO = [
  '`batched-update`, spread, with 1 and with 4 replicas',
  '`batched-lock`, spread, with 2 replicas and 64 connections',
  '`atomic-update` and `row-lock`, with 64 connections',
];

const AT = '64 connections';
const CROWD = 64;

export function costsOf(run: RecordedRun): Costs {
  const [few, many] = [1, 4].map((replicas) => {
    const at = replicas === 1 ? '1 replica' : `${replicas} replicas`;
    const us = usOf(run, 'answers/s by replicas', 'batched-update', at);
    return {
      batches: 1 / batchOf(CROWD, replicas),
      us: us - usOf(run, 'answers/s by replicas', 'no-op', at),
    };
  }) as [Point, Point];
  const batchUs = (many.us - few.us) / (many.batches - few.batches);
  const rowUs = few.us - batchUs * few.batches;

  const lockedUs = usOf(run, 'bookings/s', 'batched-lock', AT) - usOf(run, 'bookings/s', 'no-op', AT);
  const handOverUs = (lockedUs - rowUs) * batchOf(CROWD, 1) - batchUs;

  const [short, long] = ['atomic-update', 'row-lock'].map((guard) => {
    return { trips: measured(run, 'SQL round trips', guard, AT), us: usOf(run, 'bookings/s', guard, AT) };
  }) as [Locked, Locked];
  const roundTripUs = (long.us - short.us) / (long.trips - short.trips);
  return { rowUs, batchUs, handOverUs, commitUs: short.us - roundTripUs * short.trips, roundTripUs };
}

interface Point {
  /** For each booking. */
  batches: number;
  us: number;
}

interface Locked {
  trips: number;
  us: number;
}

/** @throws Error that names what the run lacks */
export function measured(run: RecordedRun, what: string, of: string, at: string): number {
  const value = run.medians[what]?.[of]?.[at];
  if (value === undefined) throw new Error(`the run of ${run.startedAt} has no ${what} of ${of} at ${at}`);
  return value;
}

function usOf(run: RecordedRun, what: string, of: string, at: string): number {
  return 1e6 / measured(run, what, of, at);
}

/** Processor time by part, of the table that the bench prints: what is left when each part has machines of its own. */
export interface PartCosts {
  nginxUs: number;
  /** Of a replica, and of Postgres: for each booking, and for each batch. */
  replica: PerBatch;
  postgres: PerBatch;
  /** Of a replica, for a request that touches nothing. */
  requestUs: number;
  /** Of Redis, for each time that a lease goes from replica to replica. */
  handOverUs: number;
  /** Of one commit of 32 bookings by itself. */
  commitCycleUs: number;
}

export interface PerBatch {
  rowUs: number;
  batchUs: number;
}

export const COMMIT_CYCLE_BATCH = 32;

/** At home, and spread over two replicas: two sizes of batches. */
export function partCostsOf(run: RecordedRun): PartCosts {
  const cpuUs = (part: string, of: string): number =>
    1e6 * (measured(run, `cores of ${part}`, of, AT) / measured(run, 'bookings/s', of, AT));
  const batches = { large: 1 / batchOf(CROWD, 1), small: 1 / batchOf(CROWD, 2) };
  const perBatch = (part: string): PerBatch => {
    const [large, small] = ['batched-update at home', 'batched-update'].map((of) => cpuUs(part, of));
    const batchUs = ((small ?? 0) - (large ?? 0)) / (batches.small - batches.large);
    return { batchUs, rowUs: (large ?? 0) - batchUs * batches.large };
  };
  return {
    nginxUs: cpuUs('nginx', 'batched-update at home'),
    replica: perBatch('replicas'),
    postgres: perBatch('postgres'),
    requestUs: cpuUs('replicas', 'no-op'),
    handOverUs: cpuUs('redis', 'batched-lock') / measured(run, 'SQL round trips', 'batched-lock', AT),
    commitCycleUs: 1e3 * measured(run, 'ms', 'commit cycle', AT),
  };
}
