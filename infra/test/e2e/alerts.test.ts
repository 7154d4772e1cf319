import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { settableClock } from '../../clocks/index.ts';
import { nativeCluster } from '../../cluster/index.ts';
import { nativeRuntime } from '../../native/index.ts';
import { stackDir } from '../../native/places.ts';
import { bookingApp } from '../../native/replicas.ts';
import { loadState } from '../../native/state.ts';
import { prometheusDir } from '../../native/watching/prometheus.ts';
import { freePort } from '../../servers/index.ts';
import { waitUntil } from '../../servers/server.ts';
import { portOf } from '../../stack/port.ts';
import type { Stack } from '../../stack/runtime.ts';
import { post, startCrowd } from '../support/crowd.ts';
import { lockRow, query } from '../support/database.ts';
import { prometheusAt, rules } from '../support/watching.ts';

/** Each alert, caused by what it is there for. It takes three minutes, and so runs only when it is asked for. */

const asked = process.env['WATCH'] === 'on';
const title = 'every alert is raised by what it is there for';
const patiently = { timeout: 100_000, interval: 250 };

describe.skipIf(!asked)(asked ? title : `${title} (make test WATCH=on)`, { timeout: 240_000 }, () => {
  const project = 'alarmed';
  const opened = new AsyncDisposableStack();
  let home: string;
  let stack: Stack;
  let prometheus: ReturnType<typeof prometheusAt>;
  const seen = new Set<string>();
  const runtime = () => nativeRuntime(project, { home, report: () => {} });
  const cluster = () => nativeCluster(project, { home, report: () => {} });

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'lastseat-home-'));
    await chmod(home, 0o755); // the servers run as users of their own
    stack = await runtime().up({
      replicas: 2,
      port: await freePort(),
      quorum: 0,
      watch: true,
      settings: { AUDIT_INTERVAL_S: '0' }, // nobody audits
    });
    prometheus = prometheusAt(stack.watching?.prometheusUrl ?? '');
    // Of what has happened before it first looked it sees nothing.
    await waitUntil('Prometheus has looked at both replicas', async () => {
      return (await prometheus.ask('lastseat_standstill_seconds_total')).length === 2;
    });
  });
  afterAll(async () => {
    await opened.disposeAsync();
    await runtime().down({ volumes: true });
    await rm(home, { recursive: true, force: true });
  });

  /** Locks that are held. */
  async function held(): Promise<number> {
    const reply = await cluster().redis('redis', 'KEYS *lock*');
    return Number(/^\*(\d+)/.exec(reply)?.[1]);
  }

  async function expectAlerts(...names: string[]): Promise<void> {
    const since = performance.now();
    await expect.poll(() => prometheus.firing(), patiently).toEqual(expect.arrayContaining(names));
    for (const name of names) seen.add(name);
    const tookS = Math.round((performance.now() - since) / 1_000);
    process.stdout.write(`${names.join(', ')}: after ${tookS} s\n`);
  }

  test('a replica that is stopped while it has a lock: ReplicaStoodStill, LeasesLost', async () => {
    const events = await Promise.all(Array.from({ length: 8 }, () => newEvent(stack.url, 1)));
    const headers = { 'content-type': 'application/json', 'x-race-window-ms': '2000' };
    const bookings = events.map(async (id) => {
      const asked = { method: 'POST', headers, body: '{}' };
      return (await fetch(`${stack.url}/book/fenced-lock/${id}`, asked)).text();
    });
    await expect.poll(held).toBeGreaterThan(0);
    for (const name of ['booking-1', 'booking-2']) await cluster().pause(name);
    await expect.poll(held).toBe(0); // nobody renews the leases
    for (const name of ['booking-1', 'booking-2']) await cluster().resume(name);
    await Promise.all(bookings);
    await expectAlerts('ReplicaStoodStill', 'LeasesLost');
  });

  test('a clock that is set: ClockStepped', async () => {
    const replica = opened.use(await startSettableReplica(stack, home));
    const dir = prometheusDir(loadState(stackDir(project, home))?.dataDir ?? '');
    const targets = [{ targets: [`127.0.0.1:${replica.metricsPort}`], labels: { instance: 'settable' } }];
    await writeFile(join(dir, 'targets', 'booking-settable.json'), JSON.stringify(targets));
    await expect
      .poll(() => prometheus.ask('lastseat_clock_shift_seconds{instance="settable"}'), patiently)
      .toHaveLength(1);
    await replica.setClock();
    await expectAlerts('ClockStepped');
  });

  test('Postgres is killed while it books: BookingsInDoubt, PostgresChanged', async () => {
    const row = await lockRow(stack, 1);
    const booked = fetch(`${stack.url}/book/batched-update/1`, { method: 'POST' }).then((answer) =>
      answer.text(),
    );
    await expect.poll(() => row.waiting()).toBeGreaterThan(0);
    const before = await prometheus.ask('pg_postmaster_start_time_seconds');
    expect(before).toHaveLength(1);
    await cluster().kill('postgres');
    await row.unlock().catch(() => {});
    await booked;
    await cluster().start('postgres');
    await expectAlerts('BookingsInDoubt', 'PostgresChanged');
  });

  test('Redis and a replica are killed: ServerMissing, BookingsRefused, TargetMissing, RedisChanged', async () => {
    await post(`${stack.url}/reset/1?tickets=1000000`);
    await using crowd = startCrowd(stack.url, ['/book/fenced-lock/1']);
    await cluster().kill('booking-2');
    await cluster().kill('redis');
    await expectAlerts('ServerMissing', 'BookingsRefused', 'TargetMissing');
    await crowd.stop();
    await cluster().start('redis');
    await cluster().start('booking-2');
    await expectAlerts('RedisChanged');
  });

  test('nobody audits, and then somebody does and finds what was sold twice: NobodyAudits, Oversold, CounterDiffers', async () => {
    await expectAlerts('NobodyAudits');
    const eventId = await newEvent(stack.url, 1);
    await query(
      stack,
      `insert into bookings (id, event_id, epoch, quantity, customer, strategy, instance_id)
       select gen_random_uuid(), event_id, epoch, 1, 'x', 'no-lock', 'x' from inventory, generate_series(1, 3)
       where event_id = ${eventId}`,
    );
    await runtime().up({
      replicas: 2,
      port: portOf(stack.url),
      quorum: 0,
      watch: true,
      settings: { AUDIT_INTERVAL_S: '1' },
    });
    await expectAlerts('Oversold', 'CounterDiffers');
    await expect.poll(() => prometheus.firing(), patiently).not.toContain('NobodyAudits');
  });

  test('none is left that was not caused', () => {
    expect([...seen].toSorted()).toEqual(
      rules()
        .flatMap(({ alert }) => alert ?? [])
        .toSorted(),
    );
  });
});

async function newEvent(url: string, capacity: number): Promise<number> {
  const response = await fetch(`${url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'alarmed', capacity }),
  });
  return ((await response.json()) as { id: number }).id;
}

/** A replica of the same stack, of which the clock goes back by a minute and a half when it is told to. */
async function startSettableReplica({ postgresUrl, redisUrl }: Stack, clocks: string) {
  const { nodeOptions, env } = settableClock(clocks);
  const child = spawn(process.execPath, [bookingApp.main], {
    cwd: bookingApp.cwd,
    env: {
      NODE_OPTIONS: nodeOptions,
      ...env,
      DATABASE_URL: postgresUrl,
      REDIS_URL: redisUrl,
      PORT: '0',
      METRICS_PORT: '0',
      AUDIT_INTERVAL_S: '0',
      LAB_MODE: 'on',
      INSTANCE_ID: 'settable',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let metricsPort = 0;
  for await (const line of createInterface(child.stdout)) {
    const entry = JSON.parse(line) as { msg: string; metricsPort: number };
    if (entry.msg !== 'serving') continue;
    ({ metricsPort } = entry);
    break;
  }
  child.stdout.resume(); // what it says from now on is nobody's
  return {
    metricsPort,
    async setClock() {
      await writeFile(join(clocks, 'settable'), '-90000');
      child.kill('SIGUSR2');
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
