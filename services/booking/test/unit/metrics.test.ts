import { readFileSync } from 'node:fs';

import { expect, test, vi } from 'vitest';

import { STRATEGY_NAMES } from '#src/contract.ts';
import { restMs } from '#src/metrics/auditor.ts';
import { createMetrics } from '#src/metrics/metrics.ts';
import { tellStock } from '#src/metrics/stock-metrics.ts';
import { CommitUnknownError } from '#src/storage/failure.ts';
import type { Db } from '#src/storage/schema.ts';
import { autocommit } from '#src/storage/transaction.ts';

import { createFakeApp } from '../support/fake-app.ts';

/** The value of one series, as Prometheus reads it; undefined if there is none. */
async function valueOf(metrics: { registry: { metrics(): Promise<string> } }, series: string) {
  const page = await metrics.registry.metrics();
  const line = page.split('\n').find((line) => line.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const idle = { max: 6, open: 2, inUse: 1, waiting: 0 };

function createWatched() {
  const metrics = createMetrics();
  metrics.watch({
    instanceId: 'unit-1',
    labMode: true,
    strategies: new Map(STRATEGY_NAMES.map((name) => [name, { waiting: () => 7 }])),
    retriesOf: (name) => (name === 'optimistic' ? 3 : 0),
    poolUse: () => ({ sales: idle, reads: idle, probes: idle }),
  });
  return metrics;
}

test('a request is counted by its route, its strategy and what became of it', async () => {
  using metrics = createWatched();
  const { app } = createFakeApp({ outcome: { code: 'sold_out' }, onAnswer: metrics.onAnswer });
  for (const path of ['/book/atomic-update/1', '/book/atomic-update/2', '/book/hope/1']) {
    await app.request(path, { method: 'POST' });
  }
  await app.request('/strategies');
  const count = 'lastseat_request_duration_seconds_count';
  const booked = `${count}{method="POST",route="/book/{strategy}/{event_id}"`;
  expect(await valueOf(metrics, `${booked},strategy="atomic-update",outcome="sold_out"}`)).toBe(2);
  expect(await valueOf(metrics, `${booked},strategy="",outcome="strategy_not_found"}`)).toBe(1);
  expect(await valueOf(metrics, `${count}{method="GET",route="/strategies",strategy="",outcome="ok"}`)).toBe(
    1,
  );
});

test('nothing that a client makes up becomes a label', async () => {
  using metrics = createWatched();
  const { app } = createFakeApp({ onAnswer: metrics.onAnswer });
  for (const i of Array.from({ length: 20 }).keys()) {
    await app.request(`/scan-${i}`);
    await app.request(`/book-with-lock/${i + 1}`, { method: i % 2 === 0 ? 'POST' : 'PUT' });
    await app.request(`/book/scan-${i}/1`, { method: 'POST' });
  }
  const page = await metrics.registry.metrics();
  expect(page).not.toContain('scan-');
  expect(page.match(/^lastseat_request_duration_seconds_count/gm)).toHaveLength(4);
  const unknown = 'lastseat_request_duration_seconds_count{method="unknown",route="unknown",strategy=""';
  expect(await valueOf(metrics, `${unknown},outcome="not_found"}`)).toBe(20);
  expect(await valueOf(metrics, `${unknown},outcome="method_not_allowed"}`)).toBe(10);
});

test('a lock tells of waits, holds, hand-overs and losses, and never its name', async () => {
  using metrics = createWatched();
  const onEvent = metrics.onLockEventOf('fenced-lock');
  const lost = 'lastseat_lock_losses_total{strategy="fenced-lock",why="deadline"}';
  // From the beginning: of a counter that appears with 1 nobody sees it grow.
  expect(await valueOf(metrics, lost)).toBe(0);
  const lock = 'event:4711';
  onEvent({ type: 'granted', lock, token: 1, waitMs: 20, from: 'queue', waiting: 0 });
  onEvent({ type: 'released', lock, token: 1, heldMs: 4 });
  onEvent({ type: 'handed-over', lock });
  onEvent({ type: 'lost', lock, token: 2, why: 'deadline', heldMs: 3_000 });
  onEvent({ type: 'refused', lock, waitMs: 5_000, why: 'timeout' });
  onEvent({ type: 'renewal-failed', lock, token: 2, cause: new Error('silence') });
  onEvent({ type: 'round-trip', script: 'queue-acquire', tookMs: 1 });
  const of = 'strategy="fenced-lock"';
  expect(await valueOf(metrics, lost)).toBe(1);
  expect(await valueOf(metrics, `lastseat_lock_wait_seconds_sum{${of},from="queue"}`)).toBe(0.02);
  expect(await valueOf(metrics, `lastseat_lock_held_seconds_sum{${of}}`)).toBe(0.004);
  expect(await valueOf(metrics, `lastseat_lock_hand_overs_total{${of}}`)).toBe(1);
  expect(await valueOf(metrics, `lastseat_lock_refusals_total{${of},why="timeout"}`)).toBe(1);
  expect(await valueOf(metrics, `lastseat_lock_failed_renewals_total{${of}}`)).toBe(1);
  expect(await valueOf(metrics, 'lastseat_lock_round_trip_seconds_count{script="queue-acquire"}')).toBe(1);
  // Its number alone may be one of the process, such as some bytes.
  expect(await metrics.registry.metrics()).not.toContain(lock);
  expect(await metrics.registry.metrics()).not.toContain('"4711"');
});

test('what a replica knows anyway is read when it is scraped', async () => {
  using metrics = createWatched();
  expect(await valueOf(metrics, 'lastseat_queue_depth_requests{strategy="batched-lock"}')).toBe(7);
  expect(await valueOf(metrics, 'lastseat_retries_total{strategy="optimistic"}')).toBe(3);
  expect(await valueOf(metrics, 'lastseat_retries_total{strategy="optimistic"}')).toBe(3);
  expect(await valueOf(metrics, 'lastseat_pool_connections{pool="sales",state="in_use"}')).toBe(1);
  expect(await valueOf(metrics, 'lastseat_pool_connections{pool="reads",state="idle"}')).toBe(1);
  expect(await valueOf(metrics, 'lastseat_pool_waiting_requests{pool="probes"}')).toBe(0);
});

/** A connection on which a statement can be sent. */
const connected = {
  connection: () => ({ execute: async (run: (db: Db) => Promise<never>) => run({} as Db) }),
} as unknown as Db;

async function commit(error: Error): Promise<never> {
  return autocommit(connected, async () => {
    throw error;
  });
}

test('a clock that is set is told, by how much, and time that goes by is not', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  try {
    using metrics = createWatched();
    vi.advanceTimersByTime(3_600_000);
    expect(await valueOf(metrics, 'lastseat_clock_shift_seconds')).toBe(0);
    vi.setSystemTime(Date.now() - 90_000);
    expect(await valueOf(metrics, 'lastseat_clock_shift_seconds')).toBe(-90);
  } finally {
    vi.useRealTimers();
  }
});

test('who stands still is told by how long it was, also if nobody has looked for some time', async () => {
  using metrics = createWatched();
  metrics.onStall(4_000);
  metrics.onStall(1_500);
  expect(await valueOf(metrics, 'lastseat_standstill_seconds_total')).toBe(5.5);
});

test('an audit rests for long enough to take a twentieth of the time', () => {
  expect(restMs(60_000, 125)).toBe(60_000);
  expect(restMs(60_000, 10_000)).toBe(190_000);
});

test('a commit without an answer is counted, and a refused one is not', async () => {
  using metrics = createWatched();
  await expect(commit(new Error('ECONNRESET'))).rejects.toThrow(CommitUnknownError);
  expect(await valueOf(metrics, 'lastseat_commits_in_doubt_total')).toBe(1);
  await expect(commit(Object.assign(new Error('no'), { code: '23514' }))).rejects.toThrow('no');
  expect(await valueOf(metrics, 'lastseat_commits_in_doubt_total')).toBe(1);
});

test('the README names every metric of ours, with its labels, and no other', async () => {
  using metrics = createWatched();
  const locks = { tryAcquire: async () => null };
  await using _auditor = tellStock(metrics.registry, { databaseUrl: '', locks, onFailed() {} });
  // Of the replica that audits alone.
  const audits = ['oversold_tickets', 'miscounted_events', 'audited_events', 'audit_duration_seconds'];
  const ours = metrics.registry
    .getMetricsAsArray()
    .map((metric) => metric as unknown as { name: string; labelNames: string[] })
    .filter(({ name }) => name.startsWith('lastseat_'))
    .map(({ name, labelNames }) => `${name} ${labelNames.join(', ')}`.trim())
    .concat([...audits, 'audit_timestamp_seconds'].map((name) => `lastseat_${name}`));
  const readme = readFileSync(new URL('../../src/metrics/README.md', import.meta.url), 'utf8');
  const named = [...readme.matchAll(/^\| `(lastseat_\w+)` \|([^|]*)\|/gm)].map(([, name, labels = '']) =>
    `${name} ${labels.replaceAll('`', '').trim()}`.trim(),
  );
  expect(named.toSorted()).toEqual(ours.toSorted());
});

test('names end with their unit, and those of counters with _total', async () => {
  using metrics = createWatched();
  const named = (await metrics.registry.getMetricsAsJSON()).filter(({ name }) =>
    name.startsWith('lastseat_'),
  );
  for (const { name, type } of named) {
    const isCounter = (type as unknown as string) === 'counter';
    expect(name).toMatch(isCounter ? /_total$/ : /_(seconds|bookings|requests|connections|info)$/);
  }
});
