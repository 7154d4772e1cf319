import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';

import { ANONYMOUS } from '#src/contract.ts';

import type { Db } from './schema.ts';

/**
 * Indexes of tables that may be large when they get one. They are built CONCURRENTLY, while others read and write, and so
 * not in a migration: that is a transaction. An attempt that was broken off leaves an invalid index, which is built anew.
 */
const indexes: Readonly<Record<string, string>> = {
  // What makes a key good for one booking. A booking without a key is not in it and pays nothing for it.
  bookings_of_key: `unique index concurrently bookings_of_key on bookings (event_id, customer, idempotency_key)
    where idempotency_key is not null`,
  // Lists of an event, in the order of ids; and adds up its tickets that count, without touching the table. One for both,
  // because each index costs a booking some 2 us and a tenth of what it writes.
  bookings_by_event: `index concurrently bookings_by_event on bookings (event_id, id) include (epoch, state, quantity)`,
  // The same for customers. What is not confirmed is little, and found without passing over all that is.
  bookings_of_customer: `index concurrently bookings_of_customer on bookings (customer, id)`,
  // What a customer has of an event, where the event limits that. The 0 makes it the only index for those who ask so: of a
  // new event Postgres expects few rows, and would go through all that it has sold to find those of a customer.
  bookings_of_customers: `index concurrently bookings_of_customers on bookings ((event_id + 0), customer)
    where state in ('held', 'confirmed') and customer <> '${ANONYMOUS}'`,
  bookings_not_confirmed: `index concurrently bookings_not_confirmed on bookings (event_id, id)
    where state <> 'confirmed' or epoch = 0`,
  // Those that are to be marked as expired, when their time has come.
  bookings_held: `index concurrently bookings_held on bookings (expires_at) where state = 'held'`,
};

/** Those that another one has taken the place of. */
const outdated = ['bookings_of_epoch', 'bookings_that_count', 'bookings_of_state', 'bookings_of_event'];

/** Between two looks whether somebody else is still building. */
const PAUSE_MS = 100;

/** Ours alone, beside the advisory locks of bookings (two numbers) and of Kysely. */
const LOCK = 7_234_301_588;

/**
 * Builds those that are missing. Of several at the same time one builds, and the others look again until it has: whoever
 * waited for a lock would be one more transaction that the builder has to wait for.
 * @returns the names of those that were built
 */
export async function buildIndexes(db: Db): Promise<string[]> {
  return db.connection().execute(async (connection) => {
    while (!(await tryLock(connection))) await sleep(PAUSE_MS);
    try {
      const built: string[] = [];
      // It waits for every transaction that is older, and nobody waits for it meanwhile.
      await sql`set lock_timeout = 0`.execute(connection);
      for (const name of await findMissingIndexes(connection)) {
        await sql`drop index concurrently if exists ${sql.id(name)}`.execute(connection);
        await sql`create ${sql.raw(indexes[name] ?? '')}`.execute(connection);
        built.push(name);
      }
      for (const name of outdated)
        await sql`drop index concurrently if exists ${sql.id(name)}`.execute(connection);
      return built;
    } finally {
      await sql`reset lock_timeout`.execute(connection);
      await sql`select pg_advisory_unlock(${sql.lit(LOCK)})`.execute(connection);
    }
  });
}

async function tryLock(connection: Db): Promise<boolean> {
  const { rows } = await sql<{ isOurs: boolean }>`
    select pg_try_advisory_lock(${sql.lit(LOCK)}) as "isOurs"`.execute(connection);
  return rows[0]?.isOurs === true;
}

/** Names of those that are not there, or not whole. */
export async function findMissingIndexes(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_index join pg_class on pg_class.oid = indexrelid
    where relname = any(${Object.keys(indexes)}) and indisvalid and pg_table_is_visible(pg_class.oid)`.execute(
    db,
  );
  const whole = new Set(rows.map(({ name }) => name));
  return Object.keys(indexes).filter((name) => !whole.has(name));
}
