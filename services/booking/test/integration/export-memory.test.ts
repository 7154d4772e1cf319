import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';
import { expect, inject, test } from 'vitest';

import { openHouse, type House } from '../support/house.ts';
import { startReplica } from '../support/replica.ts';

const ROWS = 40_000;
const FEW = 4_000;

/** Makes them 100 MB as text, of which a page is the fortieth part: a million bookings with usual names are twice that. */
const NAME_LENGTH = 2_400;

/** Garbage, and what waits in the sockets of both sides: half of them. */
const MAX_GROWN_MB = 50;

/** Seconds, and many where others keep the machine busy. */
const TIMEOUT_MS = 120_000;

/** So that garbage is collected soon, and does not look like something that is kept. */
const SMALL_HEAP = '--max-semi-space-size=2 --max-old-space-size=100';

test.skipIf(process.platform !== 'linux')(
  'an export holds no more than a page in memory, however slowly it is read',
  { timeout: TIMEOUT_MS },
  async () => {
    await using house = await openHouse(inject('postgresUrl'));
    const [few, many] = [await insertBookings(house, FEW), await insertBookings(house, ROWS)];
    const env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl'), NODE_OPTIONS: SMALL_HEAP };
    await using replica = await startReplica('export-1', env);

    // The first one shows what exporting takes by itself.
    expect(await countLines(await open(`${replica.url}/events/${few}/export`))).toBe(FEW);
    const beforeMb = forgetPeak(replica.pid);
    const answer = await open(`${replica.url}/events/${many}/export`);
    await untilNothingIsRead(house, replica.instanceId);
    expect(await countLines(answer)).toBe(ROWS);
    expect(peakMb(replica.pid) - beforeMb).toBeLessThan(MAX_GROWN_MB);
  },
);

async function insertBookings(house: House, rows: number): Promise<number> {
  const id = await house.newEvent(rows);
  // A statement has its time limit, also on a busy machine.
  for (let written = 0; written < rows; written += FEW) {
    await sql`
      insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
      select gen_random_uuid(), ${id}, 1, 1, ${'x'.repeat(NAME_LENGTH)} || n, 'batched-update', 'test'
      from generate_series(1, ${FEW}) n`.execute(house.db);
  }
  return id;
}

/** Its body waits until somebody reads it. */
async function open(url: string): Promise<IncomingMessage> {
  const [answer] = (await once(get(url), 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  return answer;
}

async function countLines(answer: IncomingMessage): Promise<number> {
  let lines = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    for (const byte of chunk) if (byte === 0x0a) lines += 1;
  }
  return lines;
}

/** An export that does not wait for its reader goes on until it has read everything. */
async function untilNothingIsRead({ db }: House, applicationName: string): Promise<void> {
  let last: string | undefined;
  for (let same = 0; same < 5;) {
    await sleep(100);
    const { rows } = await sql<{ startedAt: string }>`
      select coalesce(max(query_start)::text, '') as "startedAt" from pg_stat_activity
      where datname = current_database() and application_name = ${applicationName} and query like '%"bookings"%'`.execute(
      db,
    );
    const startedAt = rows[0]?.startedAt;
    same = startedAt === last ? same + 1 : 0;
    last = startedAt;
  }
}

/** Begins anew, for it had more in memory when it started. @returns what it has now */
function forgetPeak(pid: number): number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return peakMb(pid);
}

/** The most that the process has had in memory. */
function peakMb(pid: number): number {
  const [, kB] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1_024;
}
