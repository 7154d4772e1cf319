import { randomInt } from 'node:crypto';

import { createDatabase } from '@lastseat/infra/servers';
import { sql, type Selectable } from 'kysely';
import { pino } from 'pino';
import { vi } from 'vitest';

import type { Strategy } from '#src/booking/strategy.ts';
import { readConfig } from '#src/config.ts';
import { openContext, type Context } from '#src/context.ts';
import type { StrategyName } from '#src/contract.ts';
import { createEvent, findEvent, type EventRow } from '#src/storage/events.ts';
import { migrateToLatest } from '#src/storage/migrate.ts';
import { openPool, type PooledDb } from '#src/storage/pool.ts';
import type { Database } from '#src/storage/schema.ts';

export type BookedRow = Pick<
  Selectable<Database['bookings']>,
  'id' | 'quantity' | 'epoch' | 'state' | 'fencing_token' | 'stock_revision'
>;

/** A migrated database of a test's own, and a look at what is really in it. */
export interface House extends AsyncDisposable {
  databaseUrl: string;
  db: PooledDb;
  newEvent(capacity: number): Promise<number>;
  event(id: number): Promise<EventRow>;
  /** All bookings of the event, whatever their epoch. */
  rowsOf(eventId: number): Promise<BookedRow[]>;
  /** The stock revision of each booking, by its request, in the order of revisions. */
  requestsOf(eventId: number): Promise<Map<string | null, number | null>>;
  /** Who booked what: "<id> <instance>" of each booking, and the instances that share each fencing token. */
  rowsByInstance(eventId: number): Promise<{ rows: string[]; instancesByToken: Set<string>[] }>;
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
    newEvent: async (capacity) => (await createEvent(db, { name: 'Test', capacity })).id,
    async event(id) {
      const event = await findEvent(db, id, 'rows');
      if (event === undefined) throw new Error(`there is no event ${id}`);
      return event;
    },
    rowsOf: (eventId) =>
      db
        .selectFrom('bookings')
        .select(['id', 'quantity', 'epoch', 'state', 'fencing_token', 'stock_revision'])
        .where('event_id', '=', eventId)
        .orderBy('id')
        .execute(),
    async requestsOf(eventId) {
      const rows = await db
        .selectFrom('bookings')
        .select(['request_id', 'stock_revision'])
        .where('event_id', '=', eventId)
        .orderBy('stock_revision')
        .execute();
      return new Map(rows.map((row) => [row.request_id, row.stock_revision]));
    },
    async rowsByInstance(eventId) {
      const rows = await db
        .selectFrom('bookings')
        .select(['id', 'instance_id', 'fencing_token'])
        .where('event_id', '=', eventId)
        .execute();
      const byToken = Map.groupBy(rows, (row) => row.fencing_token);
      return {
        rows: rows.map((row) => `${row.id} ${row.instance_id}`),
        instancesByToken: [...byToken.values()].map((same) => new Set(same.map((row) => row.instance_id))),
      };
    },
    async [Symbol.asyncDispose]() {
      await db.destroy();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** What a replica holds open, without the replica. */
export function openTestContext(
  env: { DATABASE_URL: string; REDIS_URL: string } & NodeJS.ProcessEnv,
): Context {
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
