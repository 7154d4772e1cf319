import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createLinks, dockerCluster, nativeCluster, type Cluster } from '../../cluster/index.ts';
import { nativeRuntime } from '../../native/index.ts';
import { chooseServerRuntime, findBinary, freePort } from '../../servers/index.ts';
import type { Stack } from '../../stack/index.ts';
import { post } from '../support/crowd.ts';
import { bookingsIn } from '../support/database.ts';

// Where containers do the work, the native servers need not be here, and a test is no reason to install them.
const programs = ['postgres', 'redis-server', 'nginx'] as const;
const missing = programs.filter((program) => findBinary(program) === null);
const skipped = missing.length > 0 && (await chooseServerRuntime()) === 'docker';

const report = () => {};
const PATIENCE = { timeout: 60_000, interval: 20 };

describe.skipIf(skipped)(skipped ? `links (${missing.join(', ')} not installed)` : 'links', () => {
  const opened = new AsyncDisposableStack();
  let cluster: Cluster;
  let stack: Stack;

  beforeAll(async () => {
    const home = await mkdtemp(join(tmpdir(), 'lastseat-links-'));
    opened.defer(() => rm(home, { recursive: true, force: true }));
    await chmod(home, 0o755); // the servers run as users of their own
    const links = opened.use(createLinks(['nginx', 'redis', 'postgres']));
    const runtime = nativeRuntime('links', { home, ways: links, report });
    opened.defer(() => runtime.down({ volumes: true }));
    cluster = nativeCluster('links', { home, links, report });
    stack = await runtime.up({ replicas: 2, port: await freePort(), quorum: 0 });
  });
  afterAll(() => opened.disposeAsync());

  /** What each replica says of itself, through nginx. */
  async function readiness(): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    for (let asked = 0; asked < 4; asked += 1) {
      const response = await fetch(`${stack.url}/readyz`);
      await response.arrayBuffer();
      found[response.headers.get('x-instance-id') ?? ''] = response.status;
    }
    return found;
  }

  test('each replica has one of its own to each server, and nginx one to each replica', () => {
    expect(cluster.links().toSorted()).toEqual([
      'booking-1>postgres',
      'booking-1>redis',
      'booking-2>postgres',
      'booking-2>redis',
      'nginx>booking-1',
      'nginx>booking-2',
    ]);
    expect(() => cluster.link('booking-3', 'redis')).toThrow('no proxy stands between booking-3 and redis');
  });

  test('one replica alone loses Redis, and gets it back; also when it was started again meanwhile', async () => {
    const link = cluster.link('booking-1', 'redis');
    const isLost = { 'booking-1': 503, 'booking-2': 200 };
    const isWell = { 'booking-1': 200, 'booking-2': 200 };
    await link.refuse();
    await expect.poll(readiness, PATIENCE).toEqual(isLost);
    await link.heal();
    await expect.poll(readiness, PATIENCE).toEqual(isWell);
    await cluster.kill('booking-1');
    await cluster.start('booking-1');
    await expect.poll(readiness, PATIENCE).toEqual(isWell);
    await link.refuse();
    await expect.poll(readiness, PATIENCE).toEqual(isLost);
    await link.heal();
    await expect.poll(readiness, PATIENCE).toEqual(isWell);
  });

  test('an answer is lost between a replica and nginx: it is booked, and nginx says that nobody knows', async () => {
    await post(`${stack.url}/reset/1?tickets=100`);
    const dropping = cluster.link('nginx', 'booking-2').dropReplies(1, {
      matching: (request) => request.includes('POST /book/'),
    });
    const statuses: number[] = [];
    while (dropping.dropped.length === 0) statuses.push((await post(`${stack.url}/book/row-lock/1`)).status);
    expect(statuses.at(-1)).toBe(504);
    expect(statuses.slice(0, -1).every((status) => status === 201)).toBe(true);
    expect(await bookingsIn(stack)).toBe(statuses.length);
    await cluster.link('nginx', 'booking-2').heal();
  });
});

test('in Docker no proxies stand anywhere, and nobody has to guess why', () => {
  const cluster = dockerCluster('lastseat-links-test');
  expect(cluster.links()).toEqual([]);
  expect(() => cluster.link('booking-1', 'redis')).toThrow('natively only: RUNTIME=native');
});
