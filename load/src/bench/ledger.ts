import { Client } from 'pg';

/** Counts in Postgres what a run has left behind. */
export interface Ledger extends AsyncDisposable {
  audit(eventIds: readonly number[]): Promise<Audit>;
}

export interface Audit {
  /** Booking rows of the events, holds among them. */
  rows: number;
  /** Tickets in those rows that the events' counters know nothing of. */
  uncounted: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
// A cell's rows are tens of thousands, in an index.
const QUERY_TIMEOUT_MS = 30_000;

export async function openLedger(postgresUrl: string): Promise<Ledger> {
  const client = new Client({
    connectionString: postgresUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'lastseat-bench',
    options: '-c default_transaction_read_only=on',
  });
  // A server that goes away between two queries fails the next query; the event must not end the process.
  client.on('error', () => {});
  await client.connect();
  return {
    async audit(eventIds) {
      const { rows } = await client.query<Record<keyof Audit, string>>(
        `with sold as (
           select event_id, count(*) as rows, sum(quantity) as tickets
             from bookings where event_id = any($1) and state in ('confirmed', 'held') group by event_id
         )
         select coalesce(sum(sold.rows), 0) as rows,
                coalesce(sum(coalesce(sold.tickets, 0) - (i.capacity - i.available)), 0) as uncounted
           from inventory i left join sold on sold.event_id = i.event_id
          where i.event_id = any($1)`,
        [eventIds],
      );
      return { rows: Number(rows[0]?.rows ?? 0), uncounted: Number(rows[0]?.uncounted ?? 0) };
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
