import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/stack';
import { Client } from 'pg';

/** What Postgres holds of one event: the only witness that the harness believes. */
export interface Truth {
  capacity: number;
  /** What the counter says is left. */
  available: number;
  /** Bookings of the event's present epoch, oldest first. */
  rows: Row[];
}

export interface Row {
  id: string;
  customer: string;
  quantity: number;
  strategy: string;
  instanceId: string;
  fencingToken: number | null;
}

export interface Oracle extends AsyncDisposable {
  /** Null if there is no such event. */
  read(eventId: number): Promise<Truth | null>;
  /** Reads until nothing moves any more: requests that were given up may still be booking. */
  readSettled(eventId: number): Promise<Truth | null>;
}

// Loopback: more than this means that the server is gone, not slow.
const CONNECT_TIMEOUT_MS = 5_000;
// The rows of the largest crowd (100,000) take a second.
const QUERY_TIMEOUT_MS = 30_000;
// A replica that is still at work shows itself within a second; one that hangs for longer is not waited for.
const QUIET_MS = 1_000;
const SETTLE_TIMEOUT_MS = 5_000;
const POLL_MS = 100;

export async function openOracle(postgresUrl: string): Promise<Oracle> {
  const client = new Client({
    connectionString: postgresUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'lastseat-load',
    // A witness does not touch the evidence.
    options: '-c default_transaction_read_only=on',
  });
  // A server that goes away between two queries fails the next query; the event must not end the process.
  client.on('error', () => {});
  await client.connect().catch((error: unknown) => {
    throw new UserError(
      `Postgres at ${client.host}:${client.port} does not answer: ${(error as Error).message}`,
    );
  });

  const read = async (eventId: number): Promise<Truth | null> => {
    // One statement is one snapshot: the counter and the rows are of the same moment.
    const { rows } = await client.query<Joined>(
      `select i.capacity, i.available,
              b.id, b.customer, b.quantity, b.strategy, b.instance_id, b.fencing_token
         from inventory i
         left join bookings b on b.event_id = i.event_id and b.epoch = i.epoch
        where i.event_id = $1
        order by b.created_at, b.id`,
      [eventId],
    );
    const [first] = rows;
    if (!first) return null;
    return {
      capacity: Number(first.capacity),
      available: Number(first.available),
      rows: rows.flatMap((row) => (row.id === null ? [] : [toRow(row, row.id)])),
    };
  };

  const readSettled = async (eventId: number): Promise<Truth | null> => {
    const deadline = performance.now() + SETTLE_TIMEOUT_MS;
    let truth = await read(eventId);
    let quietSince = performance.now();
    while (performance.now() - quietSince < QUIET_MS && performance.now() < deadline) {
      await sleep(POLL_MS);
      const later = await read(eventId);
      if (later?.rows.length !== truth?.rows.length || later?.available !== truth?.available) {
        quietSince = performance.now();
      }
      truth = later;
    }
    return truth;
  };

  return { read, readSettled, [Symbol.asyncDispose]: () => client.end() };
}

// Null where the event has no booking. Postgres's bigint arrives as text.
interface Joined {
  capacity: string | number;
  available: string | number;
  id: string | null;
  customer: string;
  quantity: number;
  strategy: string;
  instance_id: string;
  fencing_token: string | null;
}

function toRow(row: Joined, id: string): Row {
  return {
    id,
    customer: row.customer,
    quantity: row.quantity,
    strategy: row.strategy,
    instanceId: row.instance_id,
    fencingToken: row.fencing_token === null ? null : Number(row.fencing_token),
  };
}
