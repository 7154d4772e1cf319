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
