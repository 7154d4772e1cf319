import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';
import { type Migration, type MigrationResultSet, Migrator } from 'kysely/migration';

import { seedEvents } from './events.ts';
import { PostgresBusyError } from './failure.ts';
import { buildIndexes, findMissingIndexes } from './indexes.ts';
import type { Db } from './schema.ts';

/**
 * A change of a table needs it for itself, for a moment. Whoever comes while it waits for that waits behind it: so it
 * waits briefly, and again later, rather than holding up all sales for as long as somebody's longest statement lasts.
 */
const TABLE_WAIT = '200ms';
const PAUSE_MS = 300;
const PATIENCE_MS = 60_000;

/**
 * Brings the schema up to date, seeds it, and builds the indexes that take long. Two that run at the same time follow one
 * another: Kysely holds a session advisory lock meanwhile, and the second finds nothing left to do.
 * @returns the names of the migrations that this call has run, and of the indexes that it has built
 */
export async function migrateToLatest(db: Db): Promise<string[]> {
  const migrated = await migratePatiently(db);
  await db.transaction().execute(seedEvents);
  return [...migrated, ...(await buildIndexes(db))];
}

async function migratePatiently(db: Db): Promise<string[]> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { error, results = [] } = await migrate(db);
    if (error === undefined) return results.map(({ migrationName }) => migrationName);
    if (error instanceof PostgresBusyError && performance.now() < giveUpAtMs) {
      await sleep(PAUSE_MS);
      continue;
    }
    const failed = results.find(({ status }) => status === 'Error')?.migrationName;
    throw new Error(failed === undefined ? 'the migrations could not run' : `migration ${failed} failed`, {
      cause: error,
    });
  }
}

/** All in one transaction, or none. */
function migrate(db: Db): Promise<MigrationResultSet> {
  return db.connection().execute(async (connection) => {
    await sql`set lock_timeout = ${sql.lit(TABLE_WAIT)}`.execute(connection);
    try {
      return await migratorOf(connection).migrateToLatest();
    } finally {
      await sql`reset lock_timeout`.execute(connection);
    }
  });
}

/**
 * Names of the migrations that this release knows and the database has not had, and of the indexes that are not built: one
 * of them makes a key good for one booking. A newer schema has had them all.
 */
export async function findMissingMigrations(db: Db): Promise<string[]> {
  const known = await migratorOf(db).getMigrations();
  const missing = known.flatMap(({ name, executedAt }) => (executedAt === undefined ? [name] : []));
  return [...missing, ...(await findMissingIndexes(db))];
}

function migratorOf(db: Db): Migrator {
  return new Migrator({ db, provider: { getMigrations } });
}

const folder = join(import.meta.dirname, 'migrations');

export async function getMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  const load = async (file: string) =>
    [file.slice(0, -'.ts'.length), (await import(join(folder, file))) as Migration] as const;
  return Object.fromEntries(await Promise.all(files.map(load)));
}
