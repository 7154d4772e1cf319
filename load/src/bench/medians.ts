import { mediansOf, type Medians } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { BOUNDED_CONNECTIONS, boundsOf } from './bounds.ts';
import { PARTS, type Measurements } from './measurements.ts';

/** What the tables show, for the results file. */
export function benchMedians(measurements: Measurements): Medians {
  const { cells, messages, sweeps } = measurements;
  const at64 = count(BOUNDED_CONNECTIONS, 'connection');
  return mediansOf([
    ...cells
      .filter((cell) => cell.void === null)
      .flatMap(({ guard: of, connections, events, bookingsPerS, latencyMs, cpuCores }) => {
        const at = events === 1 ? count(connections, 'connection') : count(events, 'event');
        const cores = PARTS.map((part) => ({ what: `cores of ${part}`, of, at, value: cpuCores?.[part] }));
        return cores.concat([
          { what: 'bookings/s', of, at, value: bookingsPerS },
          { what: 'p50 ms', of, at, value: latencyMs?.p50 },
          { what: 'p99 ms', of, at, value: latencyMs?.p99 },
        ]);
      }),
    ...(boundsOf(measurements) ?? []).flatMap(({ commitCycleMs, byCommits, byCpu }) => [
      { what: 'ms', of: 'commit cycle', at: at64, value: commitCycleMs },
      { what: 'bookings/s allowed', of: 'commits', at: at64, value: byCommits },
      { what: 'bookings/s allowed', of: 'CPU', at: at64, value: byCpu },
    ]),
    ...messages.flatMap(({ guard: of, connections, postgresRoundTrips, redisRoundTrips }) => {
      const at = count(connections, 'connection');
      return [
        { what: 'SQL round trips', of, at, value: postgresRoundTrips },
        { what: 'Redis round trips', of, at, value: redisRoundTrips },
      ];
    }),
    ...sweeps
      .filter((step) => step.void === null)
      .map(({ guard: of, replicas, bookingsPerS: value }) => {
        return { what: 'answers/s by replicas', of, at: count(replicas, 'replica'), value };
      }),
  ]);
}
