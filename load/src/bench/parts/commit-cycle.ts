import { randomUUID } from 'node:crypto';

import { median } from '@lastseat/lab-frame/statistics.ts';
import { Client } from 'pg';

import { BOUNDED_CONNECTIONS } from '../bounds.ts';
import { createFullEvents } from '../cell.ts';
import type { CommitCycle } from '../measurements.ts';
import type { Bench, Step } from '../step.ts';

// While one half of a crowd is being committed, the other half gathers.
const BATCH = BOUNDED_CONNECTIONS / 2;
// A hundred commits and more on any disk of today; the first ones are not counted: they read the catalogue.
const FOR_MS = 500;
const NOT_COUNTED = 5;
const OVERHEAD_MS = 200;
const TIMEOUT_MS = 5_000;

/** How fast Postgres commits one batch of bookings after the other, without any service: what no guard can beat. */
export function commitCycleStep(repeat: number, results: CommitCycle[]): Step {
  return {
    what: `commits of ${BATCH} bookings`,
    expectedMs: FOR_MS + OVERHEAD_MS,
    async run(bench) {
      results.push(await measureCommitCycle(bench, repeat));
    },
  };
}

async function measureCommitCycle({ stack, target, signal }: Bench, repeat: number): Promise<CommitCycle> {
  const [eventId = 0] = await createFullEvents(target, 'bench commits', 1);
  const client = new Client({
    connectionString: stack.postgresUrl,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: 'lastseat-bench',
  });
  // A server that goes away between two queries fails the next query; the event must not end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    const cycles: number[] = [];
    const endMs = performance.now() + FOR_MS;
    while (cycles.length <= NOT_COUNTED || performance.now() < endMs) {
      signal.throwIfAborted();
      const ids = Array.from({ length: BATCH }, () => randomUUID());
      const sentAtMs = performance.now();
      await client.query({ name: 'book', text: BOOK, values: [eventId, BATCH, ids] });
      cycles.push(performance.now() - sentAtMs);
    }
    const counted = cycles.slice(NOT_COUNTED);
    return { repeat, batch: BATCH, cycles: counted.length, ms: median(counted) ?? Number.NaN };
  } finally {
    await client.end();
  }
}

/** As much as a batch of the service writes: the counter, and a row for each booking. */
const BOOK = `
  with taken as (
    update inventory set available = available - $2::integer, version = version + 1
    where event_id = $1 and available >= $2::integer
    returning event_id, epoch, version
  )
  insert into bookings (id, request_id, event_id, epoch, stock_revision, quantity, customer, strategy, instance_id)
  select id, id, event_id, epoch, version, 1, 'bench', 'batched-update', 'bench'
  from taken, unnest($3::uuid[]) as booking (id)`;
