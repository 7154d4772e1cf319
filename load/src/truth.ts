import { UserError } from '@lastseat/infra/stack';
import { Client } from 'pg';

/** What Postgres holds of one event: the only witness that the harness believes. */
export interface Truth {
  /** Counts the resets of the event. */
  epoch: number;
  capacity: number;
  /** What the counter says is left, with what is held: holds end by themselves, and the rows are those of bookings. */
  available: number;
  /** Bookings of the event's present epoch, in the order of their commits as far as it is known. */
  rows: Row[];
}

export interface Row {
  id: string;
  customer: string;
  quantity: number;
  strategy: string;
  instanceId: string;
  fencingToken: number | null;
  /** The request that made it, by which a lost answer is looked up. */
  requestId: string | null;
  /** The counter's version after it had given the tickets: the order of an event's commits. */
  stockRevision: number | null;
}

/** A hold that ends by itself, or has ended. */
export interface UnconfirmedHold {
  id: string;
  customer: string;
  quantity: number;
  endsAt: Date;
}

export interface Oracle extends AsyncDisposable {
  /** Null if there is no such event. */
  read(eventId: number): Promise<Truth | null>;
  /** Holds of the event's present epoch that were neither confirmed nor given up. */
  unconfirmedHolds(eventId: number): Promise<UnconfirmedHold[]>;
  /** The names under which programs are connected to this database now. */
  connected(): Promise<Set<string>>;
}

// Loopback: more than this means that the server is gone, not slow.
const CONNECT_TIMEOUT_MS = 5_000;
// The rows of the largest crowd (100,000) take a second.
const QUERY_TIMEOUT_MS = 30_000;
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
      `select i.epoch, i.capacity,
              i.available + coalesce((select sum(quantity) from held_stock h
                                       where h.event_id = i.event_id and h.epoch = i.epoch), 0) as available,
              b.id, b.customer, b.quantity, b.strategy, b.instance_id, b.fencing_token, b.request_id, b.stock_revision
         from inventory i
         left join bookings b on b.event_id = i.event_id and b.epoch = i.epoch and b.state = 'confirmed'
        where i.event_id = $1
        order by b.stock_revision, b.created_at, b.id`,
      [eventId],
    );
    const [first] = rows;
    if (!first) return null;
    return {
      epoch: first.epoch,
      capacity: Number(first.capacity),
      available: Number(first.available),
      rows: rows.flatMap((row) => (row.id === null ? [] : [toRow(row, row.id)])),
    };
  };

  const unconfirmedHolds = async (eventId: number): Promise<UnconfirmedHold[]> => {
    const { rows } = await client.query<UnconfirmedHold>(
      `select b.id, b.customer, b.quantity, b.expires_at as "endsAt"
         from inventory i
         join bookings b on b.event_id = i.event_id and b.epoch = i.epoch and b.state in ('held', 'expired')
        where i.event_id = $1`,
      [eventId],
    );
    return rows;
  };

  const connected = async (): Promise<Set<string>> => {
    const { rows } = await client.query<{ name: string }>(
      `select distinct application_name as name from pg_stat_activity where datname = current_database()`,
    );
    return new Set(rows.map(({ name }) => name));
  };

  return { read, unconfirmedHolds, connected, [Symbol.asyncDispose]: () => client.end() };
}

// Null where the event has no booking. Postgres's bigint arrives as text.
interface Joined {
  epoch: number;
  capacity: string | number;
  available: string | number;
  id: string | null;
  customer: string;
  quantity: number;
  strategy: string;
  instance_id: string;
  fencing_token: string | null;
  request_id: string | null;
  stock_revision: string | null;
}

function toRow(row: Joined, id: string): Row {
  return {
    id,
    customer: row.customer,
    quantity: row.quantity,
    strategy: row.strategy,
    instanceId: row.instance_id,
    fencingToken: row.fencing_token === null ? null : Number(row.fencing_token),
    requestId: row.request_id,
    stockRevision: row.stock_revision === null ? null : Number(row.stock_revision),
  };
}
