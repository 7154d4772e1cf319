import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { compareCountersWithRows } from '#src/storage/audit.ts';
import { createEvent } from '#src/storage/events.ts';

import { holdStorm } from '../support/hold-storm.ts';
import { openHouse, type House } from '../support/house.ts';
import { startReplica, type Replica } from '../support/replica.ts';

/**
 * Twelve clients at three replicas whose clocks are ten minutes apart, and whose time zones are odd.
 * `STORM_S=60 npx vitest run services/booking/test/integration/hold-storm.test.ts` for a long one.
 */

const DURATION_MS = Number(process.env['STORM_S'] ?? 5) * 1_000;

const THINGS = [
  'hold 201',
  'hold 409 all_held',
  'confirm 200',
  'confirm 409 hold_expired',
  'extend 200',
  'give up 200',
  'cancel 200',
  'repeat 201',
];

const opened = new AsyncDisposableStack();
let house: House;
let replicas: Replica[];

const places = [
  { shiftMs: 0, zone: 'UTC' },
  { shiftMs: 600_000, zone: 'Asia/Kathmandu' },
  { shiftMs: -600_000, zone: 'America/St_Johns' },
];

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  const clock = new URL('../support/other-clock.mjs', import.meta.url);
  replicas = await Promise.all(
    places.map(async ({ shiftMs, zone }, i) => {
      const url = new URL(house.databaseUrl);
      url.searchParams.set('options', `-c TimeZone=${zone}`);
      return opened.use(
        await startReplica(`storm-${i + 1}`, {
          DATABASE_URL: url.href,
          REDIS_URL: inject('redisUrl'),
          TZ: zone,
          NODE_OPTIONS: `--import=${clock.href}`,
          CLOCK_SHIFT_MS: String(shiftMs),
        }),
      );
    }),
  );
});

afterAll(() => opened.disposeAsync());

const storm = (eventId: number, durationMs: number, until: readonly string[] = []) =>
  holdStorm({
    until,
    db: house.db,
    urls: replicas.map(({ url }) => url),
    eventId,
    clients: 12,
    durationMs,
    snapshotEveryMs: Math.min(1_000, DURATION_MS / 20),
  });

test(
  'whatever is held, confirmed, extended, given up, cancelled, repeated and forgotten, every ticket is one thing at a time',
  { timeout: DURATION_MS + 60_000 },
  async () => {
    // So few that some are refused, also where a busy machine lets the first holds end before the last are made.
    const eventId = await house.newEvent(20);
    const { answers, faults, snapshots } = await storm(eventId, DURATION_MS, THINGS);
    if (process.env['STORM_S'] !== undefined)
      process.stderr.write(`${snapshots} ${JSON.stringify([...answers], null, 1)}\n`);
    expect(faults).toEqual([]);
    expect(snapshots).toBeGreaterThan(0);
    // It was a storm: each thing was done, and was too late now and then.
    expect(THINGS.filter((what) => !answers.has(what))).toEqual([]);

    const { rows } = await sql`
      select idempotency_key from bookings where idempotency_key is not null
      group by event_id, customer, idempotency_key having count(*) > 1`.execute(house.db);
    expect(rows).toEqual([]);
    expect((await compareCountersWithRows(house.db)).differences).toEqual([]);
  },
);

test('nor has a customer ever more than he may', { timeout: DURATION_MS + 60_000 }, async () => {
  const { id } = await createEvent(house.db, { name: 'Limited', capacity: 40, maxPerCustomer: 4 });
  const { answers, faults, snapshots } = await storm(id, DURATION_MS / 2);
  if (process.env['STORM_S'] !== undefined)
    process.stderr.write(`${snapshots} ${JSON.stringify([...answers])}\n`);
  expect(faults).toEqual([]);
  expect(snapshots).toBeGreaterThan(0);
  expect((await compareCountersWithRows(house.db)).differences).toEqual([]);
});
