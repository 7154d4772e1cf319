import { mediansOf, type Medians } from '@lastseat/lab-frame/results/recorded-run.ts';

import { whyFailed } from './failures.ts';
import { whyVoid } from './measurement.ts';
import type { Results } from './results.ts';

/** What the tables show of empty critical sections, for the results file. */
export function lockMedians({ runs, bareTrips, crowds }: Results): Medians {
  const bareP50Ms = (repeat: number): number =>
    bareTrips.find((trips) => trips.repeat === repeat)?.p50Ms ?? Number.NaN;
  return mediansOf([
    ...runs
      .filter((run) => run.sectionMs === 0 && whyVoid(run) === null)
      .flatMap(({ contender: of, workload: at, grantsPerSecond, waitMs, jain, tripsPerGrant }) => [
        { what: 'grants/s', of, at, value: grantsPerSecond },
        { what: 'wait p99 ms', of, at, value: waitMs.p99 },
        { what: 'Jain index', of, at, value: jain },
        { what: 'round trips', of, at, value: tripsPerGrant },
      ]),
    ...runs
      .filter((run) => run.workload === 'hand-over' && whyVoid(run) === null)
      .map(({ contender: of, workload: at, repeat, handOverMs }) => {
        const value = handOverMs.between.p50 / bareP50Ms(repeat);
        return { what: 'hand-over, times two bare round trips', of, at, value };
      }),
    ...crowds
      .filter((crowd) => whyFailed(crowd) === null)
      .flatMap(({ contender: of, heapBytesPerWaiter, redisBytesPerWaiter, handOverManyP50Ms }) => [
        { what: 'heap bytes', of, at: 'crowd', value: heapBytesPerWaiter },
        { what: 'Redis bytes', of, at: 'crowd', value: redisBytesPerWaiter },
        { what: 'hand-over in one process, µs', of, at: 'crowd', value: handOverManyP50Ms * 1_000 },
      ]),
  ]);
}
