import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { nativeCluster } from '../../cluster/index.ts';
import { nativeRuntime } from '../../native/index.ts';
import { maxLogBytes } from '../../native/log-keeper.ts';
import { stackDir } from '../../native/places.ts';
import { loadState } from '../../native/state.ts';
import { chooseServerRuntime, findBinary, freePort } from '../../servers/index.ts';
import { isRunning } from '../../servers/processes.ts';
import { portOf } from '../../stack/port.ts';
import { post, startCrowd } from '../support/crowd.ts';
import { bookingsIn, lockRow, query } from '../support/database.ts';

// Where containers do the work, the native servers need not be here, and a test is no reason to install them.
const programs = ['postgres', 'redis-server', 'nginx'] as const;
const missing = programs.filter((program) => findBinary(program) === null);
const skipped = missing.length > 0 && (await chooseServerRuntime()) === 'docker';

const title = 'the topology as plain processes';

describe.skipIf(skipped)(skipped ? `${title} (${missing.join(', ')} not installed)` : title, () => {
  let home: string;
  const reported: string[] = [];
  const nativeStack = (project: string) =>
    nativeRuntime(project, { home, report: (line) => reported.push(line) });

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'lastseat-home-'));
    await chmod(home, 0o755); // the servers run as users of their own
  });
  afterAll(async () => {
    for (const project of ['first', 'second']) await nativeStack(project).down({ volumes: true });
    await rm(home, { recursive: true, force: true });
  });

  const cluster = (project: string) => nativeCluster(project, { home, report: () => {} });
  const partsOf = (project: string) => loadState(stackDir(project, home))?.parts ?? {};

  test('scales up and down under load without a failed booking', async () => {
    const stack = nativeStack('first');
    const up = await stack.up({ replicas: 2, port: await freePort(), quorum: 0 });
    expect(await stack.find()).toEqual(up);
    await post(`${up.url}/reset/1?tickets=1000000`);
    // Each replica has a port for Prometheus, and nginx leads nobody there.
    const first = loadState(stackDir('first', home))?.ports['first-metrics'] ?? 0;
    for (const [place, name] of ['booking-1', 'booking-2'].entries()) {
      const page = await (await fetch(`http://127.0.0.1:${first + place}/metrics`)).text();
      expect(page).toContain(`lastseat_replica_info{instance_id="${name}"`);
    }
    expect((await fetch(`${up.url}/metrics`)).status).toBe(404);

    await using crowd = startCrowd(up.url);
    await crowd.reaches(200);
    expect((await stack.scale(4)).replicas).toBe(4);
    await crowd.reaches(400);
    expect((await stack.scale(1)).replicas).toBe(1);
    await crowd.reaches(200);
    await crowd.stop();

    expect(crowd.failures).toEqual([]);
    expect([...crowd.instances].sort()).toEqual(['booking-1', 'booking-2', 'booking-3', 'booking-4']);
    expect(Object.keys(partsOf('first')).filter((name) => name.startsWith('booking-'))).toEqual([
      'booking-1',
    ]);
    expect(await bookingsIn(up)).toBe(crowd.booked);
  });

  test('a second `up` keeps what runs as it is and brings back what died', async () => {
    const stack = nativeStack('first');
    const { url } = (await stack.find()) ?? { url: '' };
    const options = { replicas: 2, port: Number(new URL(url).port), quorum: 0 };
    await stack.up(options);
    const before = partsOf('first');
    await stack.up(options);
    expect(partsOf('first')).toEqual(before);

    for (const name of ['booking-1', 'redis']) await cluster('first').kill(name);
    await stack.up(options);
    const after = partsOf('first');
    expect(Object.values(after).every(isRunning)).toBe(true);
    expect(after['booking-2']).toEqual(before['booking-2']);
  });

  test('whoever had no answer of replicas that died finds out what became of the request', async () => {
    const stack = nativeStack('first');
    const { url } = (await stack.find()) ?? { url: '' };
    const options = { replicas: 2, port: portOf(url), quorum: 0 };
    await post(`${url}/reset/1?tickets=1000000`);
    const before = await bookingsIn(await stack.find());
    await using crowd = startCrowd(url);
    await crowd.reaches(200);
    // Killing takes long enough for all that is under way to be answered: some requests are made to wait for the row.
    const row = await lockRow(await stack.find(), 1);
    await expect.poll(() => row.waiting()).toBeGreaterThan(0);
    await Promise.all(['booking-1', 'booking-2'].map((name) => cluster('first').kill(name)));
    await row.unlock();
    await expect.poll(() => crowd.failures.some((failure) => failure.startsWith('503'))).toBe(true);
    await crowd.stop();
    await stack.up(options);

    const unknown = crowd.failures.filter((failure) => failure.startsWith('504'));
    expect(unknown.length).toBeGreaterThan(0);
    const found = await Promise.all(
      unknown.map(async (failure) => {
        const { requestId } = JSON.parse(failure.slice('504 '.length)) as { requestId: string };
        const response = await fetch(`${url}/requests/${requestId}`);
        await response.text();
        return response.status;
      }),
    );
    expect(found.filter((status) => status !== 200 && status !== 404)).toEqual([]);
    const booked = found.filter((status) => status === 200).length;
    expect((await bookingsIn(await stack.find())) - before).toBe(crowd.booked + booked);
  });

  test('a part that is paused answers nobody until it is resumed, and one that is killed until it is started', async () => {
    const struck = cluster('first');
    const { url } = (await struck.find())!;
    const stateOf = async (name: string) => (await struck.parts()).find((part) => part.name === name)?.state;
    const answers: Record<string, () => Promise<unknown>> = {
      nginx: () => fetch(`${url}/nginx-health`, { signal: AbortSignal.timeout(300) }),
      'booking-2': () => firstAnswerOf('booking-2', url),
      redis: () => struck.redis('redis', 'PING'),
      postgres: () => struck.statement('select 1', [], 300),
    };
    // Each question has little time, so that a silent part is soon seen to be silent; a busy machine may need several.
    const patiently = { timeout: 40_000 };
    const pids = Object.values(partsOf('first'));
    for (const [name, ask] of Object.entries(answers)) {
      await struck.pause(name);
      await struck.pause(name);
      expect(await stateOf(name)).toBe('paused');
      expect(await ask().catch(() => 'silent')).toBe('silent');
      await struck.resume(name);
      expect(await stateOf(name)).toBe('running');
      await expect.poll(() => ask().then(() => 'answers', String), patiently).toBe('answers');
    }
    expect(Object.values(partsOf('first'))).toEqual(pids);

    for (const [name, ask] of Object.entries(answers)) {
      await struck.kill(name);
      expect(await stateOf(name)).toBe('stopped');
      await expect(struck.pause(name)).rejects.toThrow(`pause ${name}: it is not running`);
      await struck.start(name);
      expect(await stateOf(name)).toBe('running');
      await expect.poll(() => ask().then(() => 'answers', String), patiently).toBe('answers');
    }
  });

  test('a cluster is asked by statement, command and log, restarted and scaled', async () => {
    const struck = cluster('first');
    const [{ pid }] = (await struck.statement<{ pid: number }>('select $1::int as pid', [7])) as [
      { pid: number },
    ];
    expect(pid).toBe(7);
    await expect(struck.statement('select broken')).rejects.toThrow(
      /^statement in postgres: column "broken"/,
    );
    expect(await struck.redis('redis', 'SET struck 1')).toBe('+OK\r\n');
    await struck.redis('redis', 'FLUSHALL');
    expect(await struck.redis('redis', 'GET struck')).toBe('$-1\r\n');
    await expect(struck.redis('redis', 'GETT x')).rejects.toThrow(/^redis refuses GETT x: ERR/);
    await expect(struck.kill('booking-9')).rejects.toThrow(
      'there is no part booking-9: nginx, booking-1, booking-2, redis, postgres',
    );

    const heard: string[] = [];
    using _ = struck.follow('booking-1', (line) => heard.push(line));
    await struck.restart('booking-1');
    await expect
      .poll(() => heard.map((line) => (JSON.parse(line) as { msg: string }).msg))
      .toContain('serving');
    expect(heard.some((line) => line.includes('"msg":"stopped"'))).toBe(true);
    expect((await struck.logs('booking-1', 1)).join()).toContain('"msg":"serving"');
    await struck.scale(1);
    expect((await struck.parts()).map(({ name }) => name)).not.toContain('booking-2');
    await struck.scale(2);
  });

  test('settings reach every replica, also one that is added', async () => {
    const stack = nativeStack('second');
    const settings = {
      LAB_MODE: 'off',
      OPERATORS: 'ada only-for-this-test events:write',
      LOCK_WAIT_MS: '2000',
    };
    const up = await stack.up({ replicas: 2, port: await freePort(), quorum: 0, settings });
    expect(up.settings).toEqual(settings);
    await stack.scale(3);
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(`${up.url}/book-no-lock/1`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
    expect(new Set(answers.map(({ headers }) => headers.get('x-instance-id'))).size).toBe(3);

    const headers = {
      authorization: 'Bearer only-for-this-test',
      'content-type': 'application/json',
    };
    const event = { method: 'POST', headers, body: '{"name": "x", "capacity": 1}' };
    expect((await fetch(`${up.url}/events`, event)).status).toBe(201);
    const unusable = { ...settings, LOCK_WAIT_MS: 'long' };
    await expect(stack.up({ ...up, port: portOf(up.url), quorum: 0, settings: unusable })).rejects.toThrow(
      /^LOCK_WAIT_MS="long": .*[^\n]$/,
    );
    await stack.down({ volumes: true });
  });

  test('nginx asks no place that is empty, unless the number of replicas has changed', async () => {
    const stack = nativeStack('second');
    const { url } = await stack.up({ replicas: 2, port: await freePort(), quorum: 0 });
    await post(`${url}/reset/1?tickets=1000000`);
    await using crowd = startCrowd(url);
    await crowd.reaches(500);
    await Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${url}/events/1`)).text()));
    await crowd.stop();
    expect(crowd.failures).toEqual([]);
    expect(await readFile(join(stackDir('second', home), 'logs', 'nginx.log'), 'utf8')).toBe('');
    await stack.down({ volumes: true });
  });

  test('a log that grows without end is cut', async () => {
    const log = join(stackDir('first', home), 'logs', 'nginx.log');
    await appendFile(log, 'a line\n'.repeat(maxLogBytes / 5));
    await expect.poll(async () => (await stat(log)).size).toBeLessThan(maxLogBytes);
    expect((await stat(`${log}.1`)).size).toBeLessThanOrEqual(maxLogBytes);
  });

  test('the service does not own the database server', async () => {
    const stack = await nativeStack('first').find();
    expect(
      await query(stack, 'select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = user'),
    ).toEqual([{ rolsuper: false, rolcreatedb: false, rolcreaterole: false }]);
    expect(await query(stack, 'show fsync')).toEqual([{ fsync: 'on' }]);
  });

  test('a taken port is one line, and nothing is left half started', async () => {
    const port = await freePort();
    await using server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    await expect(nativeStack('second').up({ replicas: 1, port, quorum: 0 })).rejects.toThrow(
      `port ${port} is taken by another program; choose another: make up PORT=${port + 1}`,
    );
    expect(partsOf('second')).toEqual({});
    expect(await nativeStack('second').find()).toBeNull();
  });

  test.each([0, 33, 2.5, Number.NaN])(
    'REPLICAS=%s is refused before anything is touched',
    async (replicas) => {
      await expect(nativeStack('third').up({ replicas, port: 1, quorum: 0 })).rejects.toThrow(
        'REPLICAS must be',
      );
      expect(existsSync(join(home, 'native', 'third'))).toBe(false);
    },
  );

  test('two stacks run side by side, the second with a quorum of Redis servers', async () => {
    const [first, second] = [nativeStack('first'), nativeStack('second')];
    const up = await second.up({ replicas: 1, port: await freePort(), quorum: 3 });
    expect(new Set([up.redisUrl, ...up.quorumUrls]).size).toBe(4);
    expect((await first.find())?.replicas).toBe(2);
    await second.down({ volumes: true });
    expect(existsSync(join(home, 'native', 'second'))).toBe(false);
    expect((await first.find())?.replicas).toBe(2);
  });

  test('`down` leaves nothing running and `up` finds the data again, unless the volumes went too', async () => {
    const stack = nativeStack('first');
    const found = await stack.find();
    const booked = await bookingsIn(found);
    expect(booked).toBeGreaterThan(0);
    const parts = Object.values(partsOf('first'));
    await stack.down({ volumes: false });
    expect(parts.filter(isRunning)).toEqual([]);
    expect(await stack.find()).toBeNull();
    await expect(stack.scale(2)).rejects.toThrow('nothing is running: make up');

    const options = { replicas: 1, port: Number(new URL(found?.url ?? '').port), quorum: 0 };
    const again = await stack.up(options);
    expect(again.postgresUrl).toBe(found?.postgresUrl);
    expect(await bookingsIn(again)).toBe(booked);

    await stack.down({ volumes: true });
    expect(existsSync(join(home, 'native', 'first'))).toBe(false);
  });
});

/** Rejects unless a replica of that name answers one of a few questions, each of which may wait a little. */
async function firstAnswerOf(name: string, url: string): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      fetch(`${url}/readyz`, { method: 'POST', signal: AbortSignal.timeout(500) }),
    ),
  );
  if (!answers.some(({ headers }) => headers.get('x-instance-id') === name)) throw new Error(`no ${name}`);
}
