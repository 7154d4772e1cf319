import { once } from 'node:events';
import { createServer } from 'node:net';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { dockerCluster } from '../../cluster/index.ts';
import { IMAGES } from '../../images.ts';
import { freePort } from '../../servers/index.ts';
import { listContainers } from '../../stack/docker/containers.ts';
import { obstacleToDocker } from '../../stack/docker/engine.ts';
import { dockerRuntime } from '../../stack/docker/index.ts';
import { capture } from '../../stack/run-command.ts';
import { post, startCrowd } from '../support/crowd.ts';
import { bookingsIn } from '../support/database.ts';

const project = `lastseat-test-${process.pid}`;
const commandTimeoutMs = 30_000;

const obstacle = await obstacleToDocker();
const title = 'the topology in Docker';

describe.skipIf(obstacle !== null)(obstacle === null ? title : `${title} (${obstacle})`, () => {
  const stack = dockerRuntime(project, { note: () => {} });
  const cluster = dockerCluster(project, () => {});

  beforeAll(() => {
    // A URL would take the password apart.
    vi.stubEnv('POSTGRES_PASSWORD', 'p@ss/w:rd?#%41$1');
    // As `make lab REPLICAS=1,2,4` has it in its environment: no number of replicas, and no port.
    vi.stubEnv('REPLICAS', '1,2,4');
    vi.stubEnv('PORT', 'another');
  });
  afterAll(async () => {
    await stack.down({ volumes: true });
    vi.unstubAllEnvs();
  });

  test('scales up and down under load without a failed booking', async () => {
    const settings = { LAB_MODE: 'on', LOCK_TTL_MS: '2500', LOCK_WAIT_MS: '4000', PG_POOL_MAX: '5' };
    const up = await stack.up({ replicas: 2, port: await freePort(), quorum: 0, settings });
    expect(await stack.find()).toEqual(up);
    expect(up.settings).toEqual(settings);
    await post(`${up.url}/reset/1?tickets=1000000`);

    await using crowd = startCrowd(up.url);
    await crowd.reaches(200);
    expect((await stack.scale(4)).replicas).toBe(4);
    const replicas = (await listContainers(project)).filter(({ service }) => service === 'booking');
    expect(replicas.map(({ env }) => env)).toEqual(replicas.map(() => expect.objectContaining(settings)));
    await crowd.reaches(400);
    expect((await stack.scale(1)).replicas).toBe(1);
    await crowd.reaches(200);
    await crowd.stop();

    expect(crowd.failures).toEqual([]);
    expect(crowd.instances.size).toBe(4);
    expect(await bookingsIn(up)).toBe(crowd.booked);
  });

  test('a replica that is killed takes only what it had in hand, and no booking is made twice', async () => {
    await stack.scale(3);
    const up = await stack.find();
    await post(`${up?.url}/reset/1?tickets=1000000`);
    const before = await bookingsIn(up);

    await using crowd = startCrowd(up?.url ?? '');
    await crowd.reaches(200);
    await cluster.kill('booking-2');
    await crowd.reaches(400);
    await crowd.stop();

    // Nobody knows what became of these; everybody else was served by the two that are left.
    const unknown = crowd.failures.length;
    expect(crowd.failures.filter((failure) => !/^504 .*"code":"unknown"/.test(failure))).toEqual([]);
    expect(unknown).toBeLessThanOrEqual(16);
    const made = (await bookingsIn(up)) - before;
    expect(made).toBeGreaterThanOrEqual(crowd.booked);
    expect(made).toBeLessThanOrEqual(crowd.booked + unknown);
  });

  test('a part that is paused answers nobody until it is resumed, and one that is killed until it is started', async () => {
    const stateOf = async (name: string) => (await cluster.parts()).find((part) => part.name === name)?.state;
    expect(await stateOf('booking-2')).toBe('stopped');
    await cluster.start('booking-2');
    const answers: Record<string, () => Promise<unknown>> = {
      redis: () => cluster.redis('redis', 'PING'),
      postgres: () => cluster.statement('select 1', [], 1_000),
    };
    for (const [name, ask] of Object.entries(answers)) {
      await cluster.pause(name);
      expect(await stateOf(name)).toBe('paused');
      expect(await ask().catch(() => 'silent')).toBe('silent');
      await cluster.resume(name);
      await ask();
      await cluster.kill(name);
      expect(await stateOf(name)).toBe('stopped');
      await cluster.start(name);
      await ask();
    }
    const heard: string[] = [];
    using following = cluster.follow('booking-1', (line) => heard.push(line));
    await following.ready;
    await cluster.restart('booking-1');
    await expect.poll(() => heard.some((line) => line.includes('"msg":"serving"'))).toBe(true);
    expect((await cluster.logs('booking-1', 1)).join()).toContain('"msg":"serving"');
    await cluster.pause('booking-2');
    await expect(cluster.scale(2)).rejects.toThrow('scale: booking-2 is paused; resume it first');
    await cluster.resume('booking-2');
    await expect(cluster.kill('booking-9')).rejects.toThrow(
      /^there is no part booking-9: nginx, booking-1, /,
    );
  });

  test('nothing is published but on loopback', async () => {
    const containers = await listContainers(project);
    const published = containers.flatMap(({ ports }) =>
      ports.flatMap(({ publishedAs }) => publishedAs ?? []),
    );
    expect(published).toHaveLength(3);
    expect(published.filter((address) => !address.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('nobody can inherit the address of a replica but a replica', async () => {
    const containers = await listContainers(project);
    const networksOf = (name: string) =>
      containers.find(({ service }) => service === name)?.networks.filter((one) => !one.endsWith('_watch'));
    const networks = networksOf('nginx');
    expect(networks).toEqual([expect.stringMatching(/_edge$/)]);
    const there = containers.filter(({ networks: theirs }) => theirs.some((one) => networks?.includes(one)));
    expect(new Set(there.map(({ service }) => service))).toEqual(new Set(['booking', 'nginx']));
    // Whoever watches asks nginx in a network of its own, where no replica is.
    const watched = containers.filter(({ networks: theirs }) => theirs.some((one) => one.endsWith('_watch')));
    expect(new Set(watched.map(({ service }) => service))).toEqual(new Set(['nginx']));
  });

  test('no container has more than its share of the CPUs, and none keeps its log for ever', async () => {
    const running = (await listContainers(project)).filter(({ isRunning }) => isRunning);
    const names = running.map(({ name }) => name);
    const format = '{{.HostConfig.NanoCpus}} {{json .HostConfig.LogConfig.Config}}';
    const inspected = await capture('docker', ['inspect', '--format', format, ...names], commandTimeoutMs);
    const lines = inspected.stdout.trimEnd().split('\n');
    expect(lines).toEqual(names.map(() => '1000000000 {"max-file":"3","max-size":"10m"}'));
  });

  test("a project of another clone's is left alone", async () => {
    const name = `${project}-stranger`;
    const labels = {
      'com.docker.compose.project': name,
      'com.docker.compose.project.working_dir': '/elsewhere/lastseat',
      'com.docker.compose.service': 'postgres',
      'com.docker.compose.oneoff': 'False',
    };
    const flags = Object.entries(labels).flatMap(([label, value]) => ['--label', `${label}=${value}`]);
    await capture('docker', ['create', '--name', name, ...flags, IMAGES.nginx], commandTimeoutMs);
    const ours = dockerRuntime(name, { note: () => {} });
    const refusal = `project "${name}" of Docker belongs to /elsewhere/lastseat`;
    try {
      await expect(ours.up({ replicas: 1, port: await freePort(), quorum: 0 })).rejects.toThrow(refusal);
      await expect(ours.down({ volumes: true })).rejects.toThrow(refusal);
      expect(await ours.find()).toBeNull();
      expect(await listContainers(name)).toHaveLength(1);
    } finally {
      await capture('docker', ['rm', '--force', name], commandTimeoutMs);
    }
  });

  test('a taken port is one line, and nothing is left half started', async () => {
    const port = await freePort();
    await using server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const other = dockerRuntime(`${project}-other`, { note: () => {} });
    await expect(other.up({ replicas: 1, port, quorum: 0 })).rejects.toThrow(
      `port ${port} is taken by another program; choose another: make up PORT=${port + 1}`,
    );
    expect(await listContainers(`${project}-other`)).toEqual([]);
  });

  test('a setting that replicas cannot use is told as they tell it, and nothing is left half started', async () => {
    vi.stubEnv('COMPOSE_PROJECT_NAME', `${project}-unusable`);
    vi.stubEnv('LAB_MODE', 'off'); // and no key
    const up = [
      'infra/stack/main.ts',
      'up',
      '--runtime=docker',
      '--replicas=1',
      `--port=${await freePort()}`,
    ];
    const { code, stdout } = await capture(process.execPath, up, 120_000);
    vi.stubEnv('COMPOSE_PROJECT_NAME', undefined);
    vi.stubEnv('LAB_MODE', undefined);
    expect(stdout).toContain('BOOKING_KEY is not set');
    expect(code).not.toBe(0);
    expect(await listContainers(`${project}-unusable`)).toEqual([]);
    await dockerRuntime(`${project}-unusable`, { note: () => {} }).down({ volumes: true });
  });

  test('`down` leaves nothing running and `up` finds the data again, unless the volumes went too', async () => {
    const found = await stack.find();
    const booked = await bookingsIn(found);
    await stack.down({ volumes: false });
    expect(await listContainers(project)).toEqual([]);
    expect(await stack.find()).toBeNull();
    await expect(stack.scale(2)).rejects.toThrow('nothing is running: make up');

    const again = await stack.up({ replicas: 1, port: await freePort(), quorum: 0 });
    expect(await bookingsIn(again)).toBe(booked);
    await stack.down({ volumes: true });
    const volumes = await capture(
      'docker',
      ['volume', 'ls', '--quiet', '--filter', `label=com.docker.compose.project=${project}`],
      commandTimeoutMs,
    );
    expect(volumes.stdout).toBe('');
    const images = await capture(
      'docker',
      ['image', 'ls', '--quiet', `${project}-booking`],
      commandTimeoutMs,
    );
    expect(images.stdout).toBe('');
  });
});
