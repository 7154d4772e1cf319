import { sql } from 'kysely';

import type { Db } from '#src/storage/schema.ts';

/**
 * What a replica has last asked Postgres and has got an answer to, and when: how a test knows where another process stands.
 * `idle in transaction` counts, `active` does not.
 */
export async function lastStatementOf(db: Db, instanceId: string): Promise<string> {
  const { rows } = await sql<{ query: string }>`
    select query || ' -- ' || query_start as query from pg_stat_activity
    where application_name = ${instanceId} and state like 'idle%'`.execute(db);
  return rows.map(({ query }) => query).join();
}
