import { fixed } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { LabRun } from '../runs/run.ts';
import { html, table, type Html } from './html.ts';

export const ROUND_TRIPS_HEADER = ['', 'SQL statements', 'round trips', 'Redis commands', 'round trips'];

/** What each guard sends for one booking. */
export function roundTripsSection(run: LabRun): Html {
  const rows = roundTripRows(run);
  if (rows.length === 0) return html``;
  const connections = count(run.roundTrips?.[0]?.connections ?? 0, 'connection');
  return html`<section aria-labelledby="round-trips">
    <h2 id="round-trips">Round trips</h2>
    <p>
      For one booking, with ${connections} to one event: counted on the wire in a pass of its own, between two
      more replicas and the servers. Whoever books many at once needs less than one.
    </p>
    ${table('Messages for one booking', ROUND_TRIPS_HEADER, rows)}
  </section>`;
}

export function roundTripRows({ roundTrips = [] }: LabRun): string[][] {
  return roundTrips.map(({ strategy, statements, postgresRoundTrips, redisCommands, redisRoundTrips }) =>
    [strategy as string].concat(
      [statements, postgresRoundTrips, redisCommands, redisRoundTrips].map((number) => fixed(number, 2)),
    ),
  );
}
