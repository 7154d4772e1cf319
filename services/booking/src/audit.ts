import { parseArgs } from 'node:util';

import { z } from 'zod';

import { auditAsJson, auditAsText, type Mended } from '#src/audit-report.ts';
import { compareCountersWithRows, lockAndMendCounter, type Audit } from '#src/storage/audit.ts';
import { CommitUnknownError } from '#src/storage/failure.ts';
import { openPool } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';

/** One-shot: compares the counter of every event with its booking rows, and mends it if it is told to. */

const HELP = `Compares the counter of every event with its booking rows, all at one moment, and changes nothing.

  make audit                  a table of the events that differ
  make audit FIX=1            sets their counters to what the rows say, one event at a time under its lock
  make audit ARGS=--json      for programs

  --fix     the same as FIX=1
  --json    JSON instead of the table
  --help    this text

DATABASE_URL names the database; make audit takes the stack that is up.
Exit code: 0 they agree, or do so now; 1 some do not; 2 a wrong option, or the database could not be asked. (make makes
2 of both; node_modules/.bin/node infra/stack/audit.ts tells them apart.)`;

/** Adds up all bookings there are: 50 ms for each 400,000 of them. */
const STATEMENT_TIMEOUT_MS = 300_000;

// Whoever has read enough, as `head` has, leaves; what was to be mended is mended all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await main(process.argv.slice(2), process.env).catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  return 2;
});

async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options = readOptions(argv, env);
  if (options.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const db = openPool({
    url: options.databaseUrl,
    max: 1,
    applicationName: 'lastseat-audit',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const audit = await compareCountersWithRows(db);
    const mended = options.fix ? await mendAll(db, audit) : undefined;
    process.stdout.write(options.json ? auditAsJson(audit, mended) : auditAsText(audit, mended));
    return audit.differences.every(({ eventId }) => mended?.get(eventId)?.isGood) ? 0 : 1;
  } finally {
    await db.destroy();
  }
}

/** One after the other, so that nobody waits for more than one of them. */
async function mendAll(db: Db, { differences }: Audit): Promise<Map<number, Mended>> {
  const mended = new Map<number, Mended>();
  for (const { eventId, available } of differences) {
    try {
      const left = await lockAndMendCounter(db, eventId);
      const isGood = left === undefined || left.bookedByRows <= left.capacity;
      mended.set(eventId, { isGood, what: whatBecameOf(available, left?.available) });
    } catch (error) {
      // Such as a row that was locked for too long: the others are mended all the same.
      const what =
        error instanceof CommitUnknownError
          ? 'not known whether it was mended, because the answer to its commit was lost: run the audit again'
          : `not mended: ${(error as Error).message}`;
      mended.set(eventId, { isGood: false, what });
    }
  }
  return mended;
}

function whatBecameOf(before: number, now: number | undefined): string {
  if (now === undefined) return 'the event is gone';
  return now === before ? `available stays ${now}` : `available was ${before} and is ${now} now`;
}

function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv) {
  const values = parseFlags(argv);
  const fix = env['FIX'] ?? '';
  if (!['', '0', '1'].includes(fix)) throw new Error(`FIX=${fix}: write FIX=1, or leave it out`);
  const url = z.url({ protocol: /^postgres(ql)?$/ }).safeParse(env['DATABASE_URL']);
  if (!values.help && !url.success) {
    throw new Error('DATABASE_URL is not set to a URL such as postgres://user:password@host:5432/database');
  }
  return { ...values, fix: values.fix || fix === '1', databaseUrl: url.data ?? '' };
}

function parseFlags(argv: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const options = { fix: flag, json: flag, help: { ...flag, short: 'h' } } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/\. |\n/);
    throw new Error(`${reason}: the options are --fix --json --help`, { cause: error });
  }
}
