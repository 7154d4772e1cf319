import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { nativeRuntime } from '../../native/index.ts';
import { stackDir } from '../../native/places.ts';
import { loadState } from '../../native/state.ts';
import { findBinary, freePort } from '../../servers/index.ts';
import { portOf } from '../../stack/port.ts';
import type { Stack } from '../../stack/runtime.ts';
import { startCrowd } from '../support/crowd.ts';
import { query } from '../support/database.ts';
import { dashboard, obstacleToWatching, prometheusAt, queryOf, rules } from '../support/watching.ts';

/** A real Prometheus that watches a real sale: what its rules and the dashboard ask for is there to be found. */

const obstacle = await obstacleToWatching();
const title = 'a stack that is watched';

describe.skipIf(obstacle !== null)(obstacle === null ? title : `${title} (${obstacle})`, () => {
  const project = 'watched';
  let home: string;
  let stack: Stack;
  let prometheus: ReturnType<typeof prometheusAt>;
  const runtime = () => nativeRuntime(project, { home, report: () => {} });
  const partsOf = () => Object.keys(loadState(stackDir(project, home))?.parts ?? {});
  const up = async () =>
    (await prometheus.ask('up{job="booking"} == 1')).map(({ instance }) => instance).toSorted();
  // Prometheus looks every five seconds; a machine that others keep busy may take a few of them.
  const patiently = { timeout: 60_000, interval: 250 };

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'lastseat-home-'));
    await chmod(home, 0o755); // the servers run as users of their own
    const settings = { AUDIT_INTERVAL_S: '1' };
    stack = await runtime().up({ replicas: 2, port: await freePort(), quorum: 0, watch: true, settings });
    prometheus = prometheusAt(stack.watching?.prometheusUrl ?? '');
  });
  afterAll(async () => {
    await runtime().down({ volumes: true });
    await rm(home, { recursive: true, force: true });
  });

  test('the rules pass their own tests', () => {
    const promtool = join(dirname(findBinary('prometheus')?.path ?? ''), 'promtool');
    const file = fileURLToPath(new URL('../../watching/rules.test.yml', import.meta.url));
    const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
  });

  test('every query of rules and dashboard finds something, and what is sold twice raises an alert', async () => {
    await using crowd = startCrowd(stack.url, [
      '/book/fenced-lock/1',
      '/book/batched-lock/1',
      '/events/1/bookings',
    ]);
    await runtime().scale(3);
    // As who guards nothing writes it, and the counter knows nothing of it.
    await query(
      stack,
      `insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
       select gen_random_uuid(), event_id, epoch, 1, 'x', 'no-lock', 'x' from inventory, generate_series(1, 3)
       where event_id = 1`,
    );
    const panels = dashboard().panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const marks = dashboard().annotations.list.map(({ expr }) => expr);
    const queries = new Set([...panels, ...marks, ...rules().map(queryOf)]);
    expect(queries.size).toBeGreaterThan(50);
    const unanswered = async () => {
      const found = await Promise.all(
        [...queries].map(async (query) => [query, await prometheus.ask(query)] as const),
      );
      return found.flatMap(([query, values]) =>
        values.some(({ value }) => Number.isFinite(value)) ? [] : [query],
      );
    };
    await expect.poll(unanswered, patiently).toEqual([]);
    await expect
      .poll(() => prometheus.firing(), patiently)
      .toEqual(expect.arrayContaining(['Oversold', 'CounterDiffers']));
    await crowd.stop();
  });

  test('Prometheus follows the replicas', async () => {
    await expect.poll(up, patiently).toEqual(['booking-1', 'booking-2', 'booking-3']);
    await runtime().scale(1);
    await expect.poll(up, patiently).toEqual(['booking-1']);
    // None that is gone is missed, once Prometheus was told.
    await expect.poll(() => prometheus.ask('up == 0'), patiently).toEqual([]);
  });

  test('it goes as it came, and what it watches stays', async () => {
    expect(await runtime().find()).toMatchObject({ watching: stack.watching });
    const options = { replicas: 1, port: portOf(stack.url), quorum: 0 };
    const before = loadState(stackDir(project, home))?.parts['nginx'];
    expect(await runtime().up({ ...options, settings: stack.settings })).toMatchObject({ watching: null });
    expect(partsOf().toSorted()).toEqual(['booking-1', 'logs', 'nginx', 'postgres', 'redis']);
    expect(loadState(stackDir(project, home))?.parts['nginx']).toEqual(before);
  });
});
