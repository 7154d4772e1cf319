import { randomInt } from 'node:crypto';

import { createDatabase } from '@lastseat/infra/servers';
import { sql } from 'kysely';
import { pino } from 'pino';
import { vi } from 'vitest';

import type { Strategy } from '#src/booking/strategy.ts';
import { readConfig } from '#src/config.ts';
import { openContext, type Context } from '#src/context.ts';
import type { StrategyName } from '#src/contract.ts';
import { migrateToLatest } from '#src/storage/migrate.ts';
import { openPool, type PooledDb } from '#src/storage/pool.ts';

import { lookInto, type Rows } from './rows.ts';

/** A migrated database of a test's own, and a look at what is really in it. */
export interface House extends Rows, AsyncDisposable {
  databaseUrl: string;
  db: PooledDb;
}

export async function openHouse(postgresUrl: string): Promise<House> {
  const database = await createDatabase(postgresUrl);
  const db = openPool({ url: database.url, max: 4, applicationName: 'test', statementTimeoutMs: 30_000 });
  await migrateToLatest(db);
  // Test files share one Redis, and a lock is named after its event: give every database ids of its own.
  const firstId = randomInt(1_000_000, 2_000_000_000);
  await sql`alter table events alter column id restart with ${sql.lit(firstId)}`.execute(db);
  return {
    databaseUrl: database.url,
    db,
    ...lookInto(db),
    async [Symbol.asyncDispose]() {
      await db.destroy();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** What a replica holds open, without the replica. */
export function openTestContext(env: { DATABASE_URL: string } & NodeJS.ProcessEnv): Context {
  return openContext(readConfig({ LAB_MODE: 'on', ...env }), pino({ level: 'silent' }));
}

export function strategyOf(context: Context, name: StrategyName): Strategy {
  const strategy = context.strategies.get(name);
  if (strategy === undefined) throw new Error(`there is no strategy ${name}`);
  return strategy;
}

/** Opening waits for nothing; a test that wants to book at once has to. */
export async function untilReady(context: Context): Promise<void> {
  await vi.waitFor(async () => {
    const failed = await context.failedChecks();
    if (failed.length > 0) throw new Error(failed.map(({ what }) => what).join());
  }, 10_000);
}
