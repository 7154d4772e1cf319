import { sql } from 'kysely';
import { vi } from 'vitest';

import type { Db } from '#src/storage/schema.ts';

/** Until a statement in this database waits for a row that somebody else holds. */
export async function untilSomebodyWaits(db: Db): Promise<void> {
  await vi.waitFor(
    async () => {
      const { rows } = await sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
        db,
      );
      if (rows.length !== 1) throw new Error(`${rows.length} statements wait for a lock`);
    },
    { interval: 5, timeout: 10_000 },
  );
}
