import { createSimpleLock } from '@lastseat/locking';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { tellStock } from '#src/metrics/stock-metrics.ts';

import { openHouse, type House } from '../support/house.ts';
import { startReplica, type Replica } from '../support/replica.ts';

/** What a replica tells Prometheus, and what the replica that audits tells of all. */

const opened = new AsyncDisposableStack();
let house: House;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  house = opened.use(await openHouse(inject('postgresUrl')));
  env = { DATABASE_URL: house.databaseUrl, REDIS_URL: inject('redisUrl') };
});

afterAll(() => opened.disposeAsync());

async function scrape(
  replica: Replica,
): Promise<{ page: string; of: (series: string) => number | undefined }> {
  const port = replica.log.find(({ msg }) => msg === 'serving')?.['metricsPort'];
  const page = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
  return { page, of: (series) => readFrom(page, series) };
}

function readFrom(page: string, series: string): number | undefined {
  const line = page.split('\n').find((line) => line.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('a replica tells what it did, on a port that is not that of its routes', async () => {
  await using replica = await startReplica('metered', { ...env, METRICS_PORT: '0' });
  const eventId = await house.newEvent(2);
  const paths = ['fenced-lock', 'batched-lock', 'batched-update'].map((name) => `/book/${name}/${eventId}`);
  const answers = await Promise.all(paths.map((path) => replica.book(path, { body: { customer: 'ada' } })));
  expect(answers.map(({ status }) => `${status}`).toSorted()).toEqual(['201', '201', '409']);

  const { page, of } = await scrape(replica);
  const requests = page
    .split('\n')
    .filter((line) => line.startsWith('lastseat_request_duration_seconds_count'))
    .map((line) => /strategy="([\w-]*)",outcome="(\w*)"\} 1$/.exec(line)?.slice(1) ?? []);
  expect(requests.map(([strategy = '']) => strategy).toSorted()).toEqual([
    'batched-lock',
    'batched-update',
    'fenced-lock',
  ]);
  expect(requests.map(([, outcome = '']) => outcome).toSorted()).toEqual(['ok', 'ok', 'sold_out']);
  expect(of('lastseat_batch_size_bookings_count{strategy="batched-update"}')).toBe(1);
  // Free, or from the batch that had the lock of the event before.
  expect(page).toMatch(/^lastseat_lock_wait_seconds_count\{strategy="fenced-lock",from="\w+"\} 1$/m);
  expect(of('lastseat_pool_limit_connections{pool="sales"}')).toBe(6);
  expect(of('lastseat_pool_connections{pool="sales",state="in_use"}')).toEqual(expect.any(Number));
  expect(of('lastseat_replica_info{instance_id="metered",lab_mode="on"}')).toBe(1);
  expect(of('nodejs_eventloop_lag_p99_seconds')).toEqual(expect.any(Number));
  expect(of('lastseat_commits_in_doubt_total')).toBe(0);
  const labels = [...page.matchAll(/="([^"]*)"/g)].map(([, value]) => value);
  expect(labels).not.toContain('ada');
  expect(labels.filter((value) => value?.includes(String(eventId)))).toEqual([]);

  expect((await fetch(`${replica.url}/metrics`)).status).toBe(404);
});

test('without METRICS_PORT nobody listens for Prometheus', async () => {
  await using replica = await startReplica('unmetered', env);
  expect(replica.log.find(({ msg }) => msg === 'serving')).not.toHaveProperty('metricsPort');
});

test('one replica audits: it sees what was sold twice, and another one goes on where it leaves', async () => {
  await using house = await openHouse(inject('postgresUrl'));
  const eventId = await house.newEvent(1);
  const redis = new Redis(inject('redisUrl'));
  using _redis = { [Symbol.dispose]: () => redis.disconnect() };
  // Other test files share the Redis.
  const keyPrefix = `audit-${eventId}:`;
  async function startAuditing() {
    const registry = new Registry();
    const locks = createSimpleLock(redis, { keyPrefix });
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => {});
    const options = { databaseUrl: house.databaseUrl, locks, intervalMs: 40, onFailed: reject };
    const auditor = tellStock(registry, options);
    return {
      look: async (name: string) =>
        readFrom(await Promise.race([registry.metrics(), failed]), `lastseat_${name}`),
      async [Symbol.asyncDispose]() {
        await auditor[Symbol.asyncDispose]();
        await locks.close();
      },
    };
  }
  await using first = await startAuditing();
  await expect.poll(() => first.look('audited_events')).toBeDefined();
  expect(await first.look('oversold_tickets')).toBe(0);
  await using second = await startAuditing();
  // As who guards nothing writes it: two rows, and a counter that knows of one.
  await sql`update inventory set available = 0 where event_id = ${eventId}`.execute(house.db);
  await sql`insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
    select gen_random_uuid(), event_id, epoch, 1, 'x', 'no-lock', 'x' from inventory, generate_series(1, 3)
    where event_id = ${eventId}`.execute(house.db);
  await expect.poll(() => first.look('oversold_tickets')).toBe(2);
  expect(await first.look('miscounted_events')).toBe(1);
  expect(await second.look('oversold_tickets')).toBeUndefined();

  await first[Symbol.asyncDispose]();
  expect(await first.look('oversold_tickets')).toBeUndefined();
  await expect.poll(() => second.look('oversold_tickets')).toBe(2);
});
