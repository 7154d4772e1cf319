import type { Failures } from './failures.ts';
import type { Measurement } from './measurement.ts';

/** Everything that a bench has measured, repeat by repeat. */
export interface Results {
  runs: Measurement[];
  bareTrips: BareTrips[];
  crowds: CrowdMeasurement[];
}

export function nothing(): Results {
  return { runs: [], bareTrips: [], crowds: [] };
}

/** Two empty round trips to Redis, as a measure for hand-overs. */
export interface BareTrips {
  repeat: number;
  pairs: number;
  p50Ms: number;
  p99Ms: number;
}

export interface CrowdMeasurement extends Failures {
  contender: string;
  repeat: number;
  waiters: number;
  heapBytesPerWaiter: number;
  redisBytesPerWaiter: number;
  /** Time from one holder to the next with few waiters and with many; NaN if there was none in the window. */
  handOverFewP50Ms: number;
  handOverManyP50Ms: number;
}

export function runsOf(results: Results, contender: string, workload: string, sectionMs: number) {
  return results.runs.filter(
    (run) => run.contender === contender && run.workload === workload && run.sectionMs === sectionMs,
  );
}
