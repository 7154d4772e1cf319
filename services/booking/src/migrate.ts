import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';
import { z } from 'zod';

import { PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';
import { migrateToLatest } from '#src/storage/migrate.ts';
import { openPool } from '#src/storage/pool.ts';

/** One-shot: brings the schema up to date, seeds the first events and exits. Replicas start after it. */

/** A Postgres that is still starting is waited for this long. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

/** An index on a large table takes its time. */
const STATEMENT_TIMEOUT_MS = 60_000;

const log = pino({ base: { process: 'migrate' } });

async function migrate(url: string): Promise<void> {
  const db = openPool({
    url,
    // One for the advisory lock and the migrations under it.
    max: 1,
    applicationName: 'lastseat-migrate',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    log.info({ migrated: await migrateToLatest(db) }, 'the schema is up to date');
  } finally {
    await db.destroy();
  }
}

async function migratePatiently(url: string): Promise<void> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await migrate(url);
      return;
    } catch (error) {
      if (!isOutage(error) || performance.now() > giveUpAtMs) throw error;
      log.info('waiting for Postgres');
      await sleep(PAUSE_MS);
    }
  }
}

function isOutage(error: unknown): boolean {
  if (error instanceof PostgresUnavailableError || error instanceof PostgresBusyError) return true;
  return error instanceof Error && error.cause !== undefined && isOutage(error.cause);
}

const url = z.url({ protocol: /^postgres(ql)?$/ }).safeParse(process.env['DATABASE_URL']);
if (url.success) {
  await migratePatiently(url.data).catch((error: unknown) => {
    log.error({ err: error }, 'the schema could not be brought up to date');
    process.exitCode = 1;
  });
} else {
  log.error('DATABASE_URL is not set to a URL such as postgres://user:password@host:5432/database');
  process.exitCode = 1;
}
