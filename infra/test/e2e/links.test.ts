import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createLinks, dockerCluster, nativeCluster, type Cluster } from '../../cluster/index.ts';
import { nativeRuntime } from '../../native/index.ts';
import { chooseServerRuntime, findBinary, freePort } from '../../servers/index.ts';
import { obstacleToDocker } from '../../stack/docker/engine.ts';
import { dockerRuntime } from '../../stack/docker/index.ts';
import type { Stack } from '../../stack/index.ts';
import { post } from '../support/crowd.ts';
import { bookingsIn } from '../support/database.ts';

const PATIENCE = { timeout: 60_000, interval: 20 };
const HOUR_MS = 3_600_000;
const project = `lastseat-links-${process.pid}`;
const report = () => {};

// Where containers do the work, the native servers need not be here, and a test is no reason to install them.
const programs = ['postgres', 'redis-server', 'nginx'] as const;
const missing = programs.filter((program) => findBinary(program) === null);
const isNativeMissing = missing.length > 0 && (await chooseServerRuntime()) === 'docker';

// What became of a commit the replica looks up, on another connection; of a whole answer nginx knows nothing. A lock that
// may be held is asked for again, or the buyer is told that nothing was booked.
const ofCommit = {
  from: 'booking-2',
  to: 'postgres',
  containing: 'commit\0',
  guard: 'row-lock',
  told: [201],
};
const ofLock = {
  from: 'booking-2',
  to: 'redis',
  containing: 'lock:',
  guard: 'fenced-lock',
  told: [201, 503],
};
const ofBooking = { from: 'nginx', to: 'booking-2', containing: 'POST /', guard: 'row-lock', told: [504] };

const runtimes = [
  {
    name: 'native',
    losses: [ofCommit, ofLock, ofBooking],
    obstacle: isNativeMissing ? `${missing.join(', ')} not installed` : null,
    async open(opened: AsyncDisposableStack) {
      const home = await mkdtemp(join(tmpdir(), 'lastseat-links-'));
      opened.defer(() => rm(home, { recursive: true, force: true }));
      await chmod(home, 0o755); // the servers run as users of their own
      const links = opened.use(createLinks(['nginx', 'redis', 'postgres']));
      return {
        runtime: nativeRuntime(project, { home, ways: links, clocks: true, report }),
        cluster: nativeCluster(project, { home, links, clocks: true, report }),
      };
    },
  },
  {
    name: 'docker',
    losses: [ofCommit, ofLock],
    obstacle: await obstacleToDocker(),
    open: async () => ({
      runtime: dockerRuntime(project, { note: report, links: true, clocks: true }),
      cluster: dockerCluster(project, report),
    }),
  },
];

describe.each(runtimes)('links, $name', ({ losses, obstacle, open }) => {
  describe.skipIf(obstacle !== null)(obstacle ?? 'on this machine', () => {
    const opened = new AsyncDisposableStack();
    let cluster: Cluster;
    let stack: Stack;

    beforeAll(async () => {
      const { runtime, ...rest } = await open(opened);
      ({ cluster } = rest);
      opened.defer(() => runtime.down({ volumes: true }));
      stack = await runtime.up({ replicas: 2, port: await freePort(), quorum: 0 });
    });
    afterAll(() => opened.disposeAsync());

    /** What each replica says of itself, through nginx. */
    async function readiness(): Promise<Record<string, number>> {
      const found: Record<string, number> = {};
      const parts = await cluster.parts();
      for (let asked = 0; asked < 4; asked += 1) {
        const response = await fetch(`${stack.url}/readyz`);
        await response.arrayBuffer();
        const instanceId = response.headers.get('x-instance-id') ?? '';
        const part = parts.find(
          ({ kind, instance }) => kind === 'replica' && instanceId.startsWith(instance),
        );
        found[part?.name ?? instanceId] = response.status;
      }
      return found;
    }

    test('each replica has one of its own to each server', async () => {
      const links = (await cluster.links()).toSorted();
      expect(links.filter((link) => !link.startsWith('nginx>'))).toEqual([
        'booking-1>postgres',
        'booking-1>redis',
        'booking-2>postgres',
        'booking-2>redis',
      ]);
      const missing = 'no proxy stands between booking-3 and redis';
      await expect(cluster.link('booking-3', 'redis')).rejects.toThrow(missing);
      expect((await cluster.parts()).map(({ name }) => name)).not.toContain('proxies');
    });

    test('one replica alone loses Redis, and gets it back; also when it was killed meanwhile', async () => {
      const link = await cluster.link('booking-1', 'redis');
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

    test.each(losses)('a reply from $to to $from is lost: what was done is done once', async (loss) => {
      await post(`${stack.url}/reset/1?tickets=100`);
      const link = await cluster.link(loss.from, loss.to);
      await link.loseReplies({ count: 1, containing: [loss.containing] });
      const statuses: number[] = [];
      while ((await link.lostReplies()) === 0)
        statuses.push((await post(`${stack.url}/book/${loss.guard}/1`)).status);
      expect(loss.told).toContain(statuses.at(-1));
      expect(statuses.slice(0, -1).every((status) => status === 201)).toBe(true);
      expect(await bookingsIn(stack)).toBe(statuses.filter((status) => status !== 503).length);
      await link.heal();
    });

    test('everything takes longer on the way of one replica, and no longer when it is healed', async () => {
      const link = await cluster.link('booking-1', 'postgres');
      await link.delay({ requestMs: 100, replyMs: 100 });
      const tookMs: number[] = [];
      for (let asked = 0; asked < 4; asked += 1) {
        const startedAtMs = performance.now();
        await (await fetch(`${stack.url}/readyz`)).arrayBuffer();
        tookMs.push(performance.now() - startedAtMs);
      }
      expect(Math.max(...tookMs)).toBeGreaterThan(190);
      await link.heal();
    });

    test('the clock of one replica is set', async () => {
      await cluster.setClock('booking-1', HOUR_MS);
      const lines = await cluster.logs('booking-1', 5);
      expect(lines.join('\n')).toContain(`"aheadMs":${HOUR_MS}}`);
      await cluster.setClock('booking-1', 0);
    });
  });
});

test('where no run has asked for them, no proxy stands anywhere and no clock can be set', async () => {
  const cluster = dockerCluster('lastseat-links-none');
  expect(await cluster.links()).toEqual([]);
  await expect(cluster.link('booking-1', 'redis')).rejects.toThrow('no proxy stands between');
});
