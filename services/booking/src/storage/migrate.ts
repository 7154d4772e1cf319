import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { type Migration, Migrator } from 'kysely/migration';

import { seedEvents } from './events.ts';
import type { Db } from './schema.ts';

/**
 * Brings the schema up to date and seeds it. Two that run at the same time follow one another: Kysely holds a session
 * advisory lock meanwhile, and the second finds nothing left to do.
 * @returns the names of the migrations that this call has run
 */
export async function migrateToLatest(db: Db): Promise<string[]> {
  const migrator = migratorOf(db);
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName;
    throw new Error(failed === undefined ? 'the migrations could not run' : `migration ${failed} failed`, {
      cause: error,
    });
  }
  await db.transaction().execute(seedEvents);
  return results.map(({ migrationName }) => migrationName);
}

/** Names of the migrations that this release knows and the database has not had. A newer schema has had them all. */
export async function findMissingMigrations(db: Db): Promise<string[]> {
  const known = await migratorOf(db).getMigrations();
  return known.flatMap(({ name, executedAt }) => (executedAt === undefined ? [name] : []));
}

function migratorOf(db: Db): Migrator {
  return new Migrator({ db, provider: { getMigrations } });
}

const folder = join(import.meta.dirname, 'migrations');

async function getMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  const load = async (file: string) =>
    [file.slice(0, -'.ts'.length), (await import(join(folder, file))) as Migration] as const;
  return Object.fromEntries(await Promise.all(files.map(load)));
}
