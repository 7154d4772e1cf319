import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { dockerCluster, nativeCluster } from '../../cluster/index.ts';
import { nativeRuntime } from '../../native/index.ts';
import { freePort } from '../../servers/index.ts';
import { dockerRuntime } from '../../stack/docker/index.ts';
import type { Stack } from '../../stack/runtime.ts';
import { query } from '../support/database.ts';

// Twenty processes, packages that nothing else needs, and failovers that take their time: only when it is asked for.
const asked = process.env['HA'] === 'on';
const inDocker = process.env['RUNTIME'] === 'docker';
const title = 'one server of three is lost while three guards sell';
const guards = ['fenced-lock', 'batched-lock', 'batched-update'];

/** Longest time without a sale, in milliseconds. Twice what is aimed for: other processes may keep the machine busy. */
const bounds = { redis: 10_000, switchover: 10_000, kill: 50_000 };

describe.skipIf(!asked)(asked ? title : `${title} (make test HA=on)`, { timeout: 240_000 }, () => {
  const project = inDocker ? `lastseat-test-redundant-${process.pid}` : 'redundant';
  let home: string;
  let stack: Stack;
  const runtime = () =>
    inDocker ? dockerRuntime(project, { note: quiet }) : nativeRuntime(project, { home, report: quiet });
  const cluster = () =>
    inDocker ? dockerCluster(project, quiet) : nativeCluster(project, { home, report: quiet });

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'lastseat-home-'));
    await chmod(home, 0o755); // the servers run as users of their own
  });
  // Brings back what the test before has killed.
  beforeEach(async () => {
    const port = stack === undefined ? await freePort() : Number(new URL(stack.url).port);
    stack = await runtime().up({ replicas: 3, port, quorum: 0, ha: true });
  });
  afterAll(async () => {
    await runtime().down({ volumes: true });
    await rm(home, { recursive: true, force: true });
  });

  /** Sells until the fault is over and every guard has sold again, and compares the answers with the rows. */
  async function sellDuring(fault: () => Promise<unknown>, boundMs: number): Promise<void> {
    const sales = await Promise.all(guards.map((guard) => startSale(stack.url, guard)));
    await Promise.all(sales.map((sale) => sale.sellsMore(20)));
    await fault();
    await Promise.all(sales.map((sale) => sale.sellsMore(20)));
    await Promise.all(sales.map((sale) => sale.end()));
    for (const { guard, eventId, answered, longestGapMs } of sales) {
      const rows = await query(stack, `select id from bookings where event_id = ${eventId}`);
      const kept = new Set((rows as { id: string }[]).map(({ id }) => id));
      const lost = answered.filter(({ bookingId }) => !kept.has(bookingId));
      expect({ guard, lost }).toEqual({ guard, lost: [] });
      const tokens = answered.map(({ fencingToken }) => fencingToken);
      if (guard === 'fenced-lock') expect(new Set(tokens).size).toBe(tokens.length);
      expect(longestGapMs()).toBeLessThan(boundMs);
    }
  }

  test('a Redis primary that is killed', async () => {
    const primary = await cluster().primary('redis');
    await sellDuring(() => cluster().kill(primary), bounds.redis);
    expect(await cluster().primary('redis')).not.toBe(primary);
  });

  test('a Redis primary that stops answering, and comes back', async () => {
    const primary = await cluster().primary('redis');
    await sellDuring(() => cluster().pause(primary), bounds.redis);
    await cluster().resume(primary);
    expect(await cluster().primary('redis')).not.toBe(primary);
  });

  test('a Postgres primary that hands over', async () => {
    const leader = await cluster().primary('postgres');
    await sellDuring(() => cluster().handOver(), bounds.switchover);
    expect(await cluster().primary('postgres')).not.toBe(leader);
  });

  test('a Postgres primary that is killed', async () => {
    const leader = await cluster().primary('postgres');
    await sellDuring(() => cluster().kill(leader), bounds.kill);
    expect(await cluster().primary('postgres')).not.toBe(leader);
  });
});

function quiet(): void {}

/** Clients that book one event by one guard, and keep what they were answered. */
async function startSale(url: string, guard: string) {
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`${url}/events`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ name: guard, capacity: 1_000_000 }),
  });
  const { id: eventId } = (await made.json()) as { id: number };
  const answered: { bookingId: string; fencingToken: number; atMs: number }[] = [];
  const stopping = new AbortController();

  async function client() {
    while (!stopping.signal.aborted) {
      const response = await fetch(`${url}/book/${guard}/${eventId}`, {
        method: 'POST',
        headers,
        body: '{}',
        signal: AbortSignal.timeout(20_000),
      });
      const body = (await response.json()) as { bookingId: string; fencingToken: number };
      if (response.status === 201) answered.push({ ...body, atMs: performance.now() });
      else await sleep(50); // a pause between tries, as of a client that is told that something is away
    }
  }

  const clients = Array.from({ length: 4 }, client);
  return {
    guard,
    eventId,
    answered,
    longestGapMs() {
      const gaps = answered.map(({ atMs }, i) => atMs - (answered[i - 1]?.atMs ?? atMs));
      return Math.max(...gaps);
    },
    async sellsMore(more: number) {
      const until = answered.length + more;
      await expect.poll(() => answered.length, { timeout: 120_000 }).toBeGreaterThanOrEqual(until);
    },
    async end() {
      stopping.abort();
      await Promise.all(clients);
    },
  };
}
