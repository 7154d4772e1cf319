import { once } from 'node:events';
import { createServer } from 'node:net';

import { afterAll, describe, expect, test } from 'vitest';

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
  const stack = dockerRuntime(project, () => {});

  afterAll(() => stack.down({ volumes: true }));

  test('scales up and down under load without a failed booking', async () => {
    const up = await stack.up({ replicas: 2, port: await freePort(), quorum: 0 });
    expect(await stack.find()).toEqual(up);
    await post(`${up.url}/reset/1?tickets=1000000`);

    await using crowd = startCrowd(up.url);
    await crowd.reaches(200);
    expect((await stack.scale(4)).replicas).toBe(4);
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
    await capture('docker', ['kill', `${project}-booking-2`], commandTimeoutMs);
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

  test('nothing is published but on loopback', async () => {
    const containers = await listContainers(project);
    const published = containers.flatMap(({ ports }) =>
      ports.flatMap(({ publishedAs }) => publishedAs ?? []),
    );
    expect(published).toHaveLength(3);
    expect(published.filter((address) => !address.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('a taken port is one line, and nothing is left half started', async () => {
    const port = await freePort();
    await using server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const other = dockerRuntime(`${project}-other`, () => {});
    await expect(other.up({ replicas: 1, port, quorum: 0 })).rejects.toThrow(
      `port ${port} is taken by another program; choose another: make up PORT=${port + 1}`,
    );
    expect(await listContainers(`${project}-other`)).toEqual([]);
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
  });
});
