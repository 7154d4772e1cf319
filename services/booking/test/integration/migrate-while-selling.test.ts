import { createDatabase } from '@lastseat/infra/servers';
import { sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, inject, test, vi } from 'vitest';

import { buildIndexes } from '#src/storage/indexes.ts';
import { getMigrations, migrateToLatest } from '#src/storage/migrate.ts';
import { openPool } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';
import { allowIdle } from '#src/storage/transaction.ts';

/**
 * A database of before idempotency keys and holds is brought up to date while replicas of that time sell its event.
 * `MIGRATE_ROWS=1000000 npx vitest run services/booking/test/integration/migrate-while-selling.test.ts` tells how long the
 * longest pause of the sale was, with so many bookings.
 */
const ROWS = Number(process.env['MIGRATE_ROWS'] ?? 20_000);

const EVENT = 1_000;

async function openOldDatabase(bookings = 20_000) {
  const opened = new AsyncDisposableStack();
  const database = opened.use(await createDatabase(inject('postgresUrl')));
  const db = openPool({ url: database.url, max: 4, applicationName: 'test', statementTimeoutMs: 300_000 });
  opened.defer(() => db.destroy());
  await new Migrator({ db, provider: { getMigrations } }).migrateTo('0004-time-of-reset');
  await sql`insert into events (id, name) values (${EVENT}, 'Old')`.execute(db);
  await sql`insert into inventory (event_id, capacity, available) values (${EVENT}, 1000000, 500000)`.execute(
    db,
  );
  await sql`
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, request_id)
    select gen_random_uuid(), ${EVENT}, 1, 1, 'customer ' || i, 'batched-update', 'old', gen_random_uuid()
    from generate_series(1, ${bookings}::integer) i`.execute(db);
  return { db, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** As a replica of that time did. */
async function sell(db: Db): Promise<void> {
  await sql`
    with taken as (
      update inventory set available = available - 1, version = version + 1 where event_id = ${EVENT}
      returning epoch, version
    )
    insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id, request_id, stock_revision)
    select gen_random_uuid(), ${EVENT}, epoch, 1, 'eve', 'batched-update', 'old', gen_random_uuid(), version from taken`.execute(
    db,
  );
}

/** Until somebody else's statement like this one waits for a lock. */
async function untilWaits(db: Db, statement: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { rows } = await sql`
        select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
          and wait_event_type = 'Lock' and query like ${`${statement}%`}`.execute(db);
      if (rows.length === 0) throw new Error(`nobody waits in ${statement}`);
    },
    { interval: 5, timeout: 20_000 },
  );
}

async function bookedOf(db: Db): Promise<number> {
  const { rows } = await sql<{ booked: number }>`
    select sum(quantity) as booked from bookings where event_id = ${EVENT} and epoch = 1`.execute(db);
  return rows[0]?.booked ?? 0;
}

test('whoever reads for long keeps a change of the table waiting, and not the sale', async () => {
  await using old = await openOldDatabase();
  const reader = await old.db.startTransaction().execute();
  await allowIdle(reader, 60_000);
  await bookedOf(reader);
  const migrated = migrateToLatest(old.db);
  await untilWaits(old.db, 'alter table bookings');
  // It would otherwise wait for the reader, behind the change that waits for it.
  await sell(old.db);
  await untilWaits(old.db, 'alter table bookings');
  await reader.commit().execute();
  expect(await migrated).toContain('0005-idempotency-keys');
  expect(await bookedOf(old.db)).toBe(20_001);
});

test('the sale goes on while an index is built', async () => {
  await using old = await openOldDatabase();
  await new Migrator({ db: old.db, provider: { getMigrations } }).migrateToLatest();
  // Whoever is writing when it begins is waited for.
  const writer = await old.db.startTransaction().execute();
  await allowIdle(writer, 60_000);
  await sql`delete from bookings where false`.execute(writer);
  const built = buildIndexes(old.db);
  await untilWaits(old.db, 'create unique index concurrently');
  await sell(old.db);
  await writer.commit().execute();
  expect(await built).toContain('bookings_of_key');
  expect(await bookedOf(old.db)).toBe(20_001);
});

test('an index that was left half built is built anew; one that is there is left alone', async () => {
  await using old = await openOldDatabase();
  await migrateToLatest(old.db);
  expect(await migrateToLatest(old.db)).toEqual([]);
  await sql`
    update pg_index set indisvalid = false where indexrelid = 'bookings_of_key'::regclass`.execute(old.db);
  expect(await migrateToLatest(old.db)).toEqual(['bookings_of_key']);
});

test('who sells all the while is never refused', { timeout: 300_000 }, async () => {
  await using old = await openOldDatabase(ROWS);
  const migrating = new AbortController();
  let sold = 0;
  let longestPauseMs = 0;
  async function seller(): Promise<void> {
    while (!migrating.signal.aborted) {
      const beganMs = performance.now();
      await sell(old.db);
      sold += 1;
      longestPauseMs = Math.max(longestPauseMs, performance.now() - beganMs);
    }
  }
  const sellers = [seller(), seller()];
  const beganMs = performance.now();
  const migrated = await migrateToLatest(old.db);
  const tookMs = Math.round(performance.now() - beganMs);
  migrating.abort();
  await Promise.all(sellers);
  if (process.env['MIGRATE_ROWS'] !== undefined)
    process.stderr.write(
      `${JSON.stringify({ rows: ROWS, migrated, tookMs, sold, longestPauseMs: Math.round(longestPauseMs) })}\n`,
    );
  expect(await bookedOf(old.db)).toBe(ROWS + sold);
});
