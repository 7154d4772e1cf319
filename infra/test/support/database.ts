import { Client } from 'pg';

import type { Stack } from '../../stack/runtime.ts';

export async function query(stack: Stack | null, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: stack?.postgresUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

export async function bookingsIn(stack: Stack | null): Promise<number> {
  const [row] = (await query(stack, 'select count(*)::int as booked from bookings')) as { booked: number }[];
  return row?.booked ?? 0;
}

/** Takes the lock of an event's row, so that whoever books the event waits. */
export async function lockRow(stack: Stack | null, eventId: number) {
  const client = new Client({ connectionString: stack?.postgresUrl });
  client.on('error', () => {}); // a server that is killed has forgotten the lock, too
  await client.connect();
  await client.query('begin');
  await client.query('select from inventory where event_id = $1 for update', [eventId]);
  return {
    /** How many connections wait for a lock. */
    async waiting(): Promise<number> {
      const [row] = (await query(
        stack,
        "select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'",
      )) as { count: number }[];
      return row?.count ?? 0;
    },
    unlock: () => client.end(),
  };
}
