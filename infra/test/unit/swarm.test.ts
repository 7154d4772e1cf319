import { once } from 'node:events';
import { mkdtempDisposableSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { SETTINGS } from '../../../services/booking/src/config.ts';
import { REDUNDANT_PARTS } from '../../redundant/members.ts';
import { capture } from '../../stack/run-command.ts';
import { SERVICE_SETTINGS } from '../../stack/service-settings.ts';
import {
  completed,
  presentOf,
  stackFilesOf,
  variablesOf,
  type Present,
  type Wish,
} from '../../swarm/variables.ts';
import { checks } from '../support/swarm/checks.ts';
import { laidOver, parseStack, readText } from '../support/swarm/stack-file.ts';

/** The files for Docker Swarm: that they agree with those for Compose, and what a swarm asks of them beyond. */

const text = readText('infra/swarm/stack.yml');
const stack = parseStack(text);
const compose = parseStack(readText('docker-compose.yml'));

test('the stack fits docker-compose.yml and a swarm', () => {
  const findings = Object.entries(checks).map(([name, check]) => [name, check(stack, compose)]);
  expect(Object.fromEntries(findings)).toEqual(
    Object.fromEntries(Object.keys(checks).map((name) => [name, []])),
  );
});

test.each<[keyof typeof checks, string, string, string]>([
  ['agreement', 'image: postgres:18-alpine', 'image: postgres:17-alpine', 'postgres: image'],
  ['agreement', 'user: redis', 'user: root', 'redis: user'],
  ['agreement', 'read_only: true', 'read_only: false', 'booking: read_only'],
  ['agreement', 'cap_drop: [ALL]', 'cap_drop: []', 'nginx: cap_drop'],
  ['agreement', 'init: true', 'init: false', 'migrate: init'],
  ['agreement', 'max-size: 10m', 'max-size: 1g', 'booking: logging'],
  ['agreement', '--protected-mode, ', '', 'redis: command'],
  ['agreement', 'nginx, -p, /tmp/', 'nginx, -p, /var/', 'nginx: entrypoint'],
  ['agreement', 'stop_grace_period: 30s', 'stop_grace_period: 5s', 'postgres: stop_grace_period'],
  ['agreement', 'networks: [edge, data]', 'networks: [data]', 'booking: networks'],
  ['agreement', 'redis-cli, -h', 'redis-cli, -x', 'redis: healthcheck'],
  ['agreement', 'memory: 256m', 'memory: 64m', 'nginx: memory'],
  ['agreement', 'redis://redis:6379', 'redis://cache:6379', 'booking: environment'],
  ['agreement', '    LOCK_WAIT_MS: ${LOCK_WAIT_MS:-}\n', '', 'booking: environment'],
  ['agreement', 'target: 8080, published', 'target: 80, published', 'nginx: port'],
  ['agreement', '  redis:\n\n# Neither', '\n# Neither', 'networks or volumes'],
  ['files', '/etc/nginx/homes.conf', '/etc/nginx/home.conf', 'nginx: files'],
  ['files', 'file: ../redis/redis.conf', 'file: ../postgres/postgresql.conf', 'redis: files'],
  ['files', 'target: /var/run/postgresql', 'target: /run', 'postgres: writable'],
  ['files', '-${DIGEST_NGINX_READS}', '', 'nginx-reads: its name does not change with it'],
  [
    'limits',
    'stop_grace_period: 20s # above',
    'stop_grace_period: 17s # above',
    'booking is killed after 17 s',
  ],
  [
    'limits',
    'resources: { limits: { memory: 1g } }\n',
    'resources: {}\n',
    'postgres has no bound on its memory',
  ],
  ['locks', 'exec 9>/data/lock && flock 9 && ', '', 'redis: two may have its data'],
  ['locks', '9>/var/lib/postgresql/lock', '9>/tmp/lock', 'postgres: two may have its data'],
  [
    'refused',
    '  redis:\n    <<: *hardened\n',
    '  redis:\n    <<: *hardened\n    mem_limit: 1g\n',
    'redis: a stack has no mem_limit',
  ],
  ['refused', '    user: nginx\n', '    user: nginx\n    tmpfs: [/tmp]\n', 'nginx: a stack has no tmpfs'],
  [
    'secrets',
    'POSTGRES_PASSWORD_FILE: /run/secrets/postgres-password',
    'POSTGRES_PASSWORD: lastseat',
    'postgres: POSTGRES_PASSWORD is no secret',
  ],
  [
    'secrets',
    'secrets: [postgres-password, booking-key, admin-token]',
    'secrets: [booking-key, admin-token]',
    'booking reads the secret postgres-password, and is not given it',
  ],
  ['secrets', "{ external: true, name: '${STACK}-admin-token' }", '{ file: token }', 'admin-token is a file'],
  [
    'updates',
    'order: start-first\n        delay',
    'order: stop-first\n        delay',
    'booking: an old one goes before a new one is there',
  ],
  ['updates', 'failure_action: rollback', 'failure_action: continue', 'booking: a bad release goes on'],
  ['updates', 'order: stop-first, delay', 'order: start-first, delay', 'nginx: two at one port'],
  ['updates', 'mode: host }', 'mode: ingress }', 'nginx: its port is not that of its machine'],
  ['updates', 'endpoint_mode: dnsrr', 'endpoint_mode: vip', 'booking: has a virtual address'],
  [
    'updates',
    "constraints: ['node.labels.lastseat-data == yes']",
    'constraints: []',
    'postgres: may leave its data',
  ],
  ['updates', 'order: stop-first } # two', 'order: start-first } # two', 'redis: two on the same files'],
  ['updates', '&& exec sleep infinity', '', 'migrate: runs again and again'],
  [
    'updates',
    'endpoint_mode: dnsrr\n      restart_policy',
    'mode: replicated-job\n      restart_policy',
    'migrate: a manager may start it again',
  ],
  ['waiting', '|| path=/livez', '|| path=/readyz', 'booking is killed when a server is away'],
  ['waiting', 'path=/readyz;', 'path=/livez;', 'booking is asked before it can book'],
  ['waiting', 'timeout: 10s', 'timeout: 3s', 'postgres is killed when its machine is busy'],
])('%s: %j for %j is found', (check, right, wrong, finding) => {
  const changed = text.replaceAll(right, wrong);
  expect(changed).not.toBe(text);
  expect(checks[check](parseStack(changed), compose)).toContainEqual(expect.stringContaining(finding));
});

const haText = readText('infra/swarm/ha.yml');
const threeInCompose = parseStack(readText('infra/redundant/compose.yml'));

/** Agreement is asked of the overlay alone, and all else of what a swarm gets. */
function findingsOf(haText: string): Record<string, string[]> {
  const overlay = parseStack(haText);
  const both = laidOver(stack, overlay);
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]) => {
      const subject = { agreement: overlay, files: { ...overlay, configs: both.configs ?? {} } };
      return [name, check(subject[name as keyof typeof subject] ?? both, threeInCompose)];
    }),
  );
}

test('the stack with three of each server fits that of Compose and a swarm', () => {
  expect(findingsOf(haText)).toEqual(Object.fromEntries(Object.keys(checks).map((name) => [name, []])));
  const overlay = parseStack(haText);
  for (const alone of ['postgres', 'redis'])
    expect(overlay.services[alone]).toEqual({ deploy: { replicas: 0 } });
});

test.each<[keyof typeof checks, string, string, string]>([
  ['agreement', 'redis-server /data/redis.conf', 'redis-server /etc/redis.conf', 'redis-2: command'],
  [
    'agreement',
    'sentinel monitor lastseat redis-1 6379 2',
    'sentinel monitor x redis-1 6379 2',
    'sentinel-3: command',
  ],
  ['agreement', 'REDIS_PRIMARY_NAME: lastseat', 'REDIS_PRIMARY_NAME: shop', 'booking: environment'],
  [
    'agreement',
    'PATRONI_RESTAPI_LISTEN: 0.0.0.0',
    'PATRONI_RESTAPI_LISTEN: 127.0.0.1',
    'postgres-1: environment',
  ],
  ['agreement', 'memory: 1g', 'memory: 2g', 'postgres-3: memory'],
  ['agreement', 'aliases: [postgres, redis]', 'aliases: [redis]', 'router: networks'],
  ['agreement', 'networks: [data]', 'networks: [edge]', 'etcd-1: networks'],
  ['agreement', 'dev/tcp/127.0.0.1/2379', 'dev/tcp/127.0.0.1/2380', 'etcd-2: healthcheck'],
  ['agreement', '  sentinel-2:\n  sent', '  sent', 'networks or volumes'],
  ['agreement', '  etcd-3: { <<', '  etcd-4: { <<', 'etcd-3: service'],
  ['files', '/etc/patroni/docker.yml', '/etc/patroni.yml', 'postgres-2: files'],
  ['files', '../redundant/servers.cfg', '../redundant/router.cfg', 'router: files'],
  ['files', "'postgres-3:/data', *tmp", "'postgres-3:/data'", 'postgres-3: writable'],
  ['files', '-${DIGEST_SENTINEL}', '', 'sentinel: its name does not change with it'],
  ['limits', '*second, *to-256m', '*second', 'etcd-2 has no bound on its memory'],
  ['members', 'hostname: redis-3', 'hostname: redis-2', 'redis-3: has another name'],
  ['locks', 'exec 9>/data/lock && flock 9 && exec', 'exec', 'sentinel-1: two may have its data'],
  ['locks', 'exec 9>/data/lock && flock 9 || exit', '', 'postgres-1: two may have its data'],
  ['members', 'lastseat-data == 2', 'lastseat-data == 1', 'redis-2: not on machine 2'],
  ['members', 'mode: global', 'replicas: 2', 'router: not on every machine'],
  ['refused', 'hostname: etcd-1,', 'hostname: etcd-1, restart: always,', 'etcd-1: a stack has no restart'],
  [
    'secrets',
    'secrets: [postgres-password]',
    '',
    'postgres-2 reads the secret postgres-password, and is not',
  ],
  ['updates', 'order: stop-first, monitor', 'order: start-first, monitor', 'redis-1: two on the same files'],
  ['updates', 'endpoint_mode: dnsrr\n  replicas', 'replicas', 'postgres-1: has a virtual address'],
  ['waiting', '  timeout: 10s', '  timeout: 1s', 'router is killed when its machine is busy'],
])('of three, %s: %j for %j is found', (check, right, wrong, finding) => {
  const changed = haText.replaceAll(right, wrong);
  expect(changed).not.toBe(haText);
  expect(findingsOf(changed)[check]).toContainEqual(expect.stringContaining(finding));
});

const wish: Wish = {
  stack: 'shop',
  ha: undefined,
  replicas: undefined,
  port: undefined,
  image: undefined,
  redundantImage: undefined,
  settings: {},
};
const wishOfThree = { ...wish, ha: true, image: 'x:1', redundantImage: 'y:1' };

const variables = (asked: Wish, there: Present | null) => variablesOf(completed(asked, there));

describe('the variables of the stack', () => {
  const present: Present = {
    replicas: 9,
    port: 80,
    image: 'r.example/booking:1',
    redundantImage: null,
    settings: { LAB_MODE: 'on' },
  };
  const presentOfThree = { ...present, redundantImage: 'r.example/redundant:1' };

  test.each([
    ['stack.yml', text, { ...wish, image: 'x:1' }],
    ['both files', text + haText, wishOfThree],
  ])('are all that %s name, but for those that may be missing', (_files, text, wish) => {
    const named = [...text.matchAll(/\$\{([A-Z_]+)(:?-?)/g)];
    const needed = named.flatMap(([, name = '', hasDefault]) => (hasDefault === '' ? [name] : []));
    const given = variablesOf(wish);
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter((name) => !(name in given))).toEqual([]);
    expect(given).toMatchObject({ STACK: 'shop', REPLICAS: '3', PORT: '8080', BOOKING_IMAGE: 'x:1' });
  });

  test('what is there stays as it is, and what is asked for changes', () => {
    expect(variables(wish, present)).toMatchObject({ REPLICAS: '9', PORT: '80', LAB_MODE: 'on' });
    const changed = { ...wish, image: 'r.example/booking:2', settings: { LAB_MODE: 'off' } };
    const both = { REPLICAS: '9', LAB_MODE: 'off', BOOKING_IMAGE: 'r.example/booking:2' };
    expect(variables(changed, present)).toMatchObject(both);
    // Another file, and so another name.
    const limitsOf = (settings: object) =>
      variablesOf({ ...wish, image: 'x:1', settings })['DIGEST_NGINX_LIMITS'];
    expect(limitsOf({ LAB_MODE: 'off' })).toBe(limitsOf({}));
    expect(limitsOf({ LAB_MODE: 'on' })).not.toBe(limitsOf({}));
    expect(() => limitsOf({ LAB_MODE: 'yes' })).toThrow(/LAB_MODE=yes/);
    expect(() => variables(wish, null)).toThrow(/BOOKING_IMAGE=/);
  });

  test('three of each server stay three, and one stays one: neither finds the data of the other', () => {
    expect(completed(wish, present).ha).toBe(false);
    expect(variables(wish, presentOfThree)).toMatchObject({ REDUNDANT_IMAGE: 'r.example/redundant:1' });
    expect(variables({ ...wish, redundantImage: 'y:2' }, presentOfThree)['REDUNDANT_IMAGE']).toBe('y:2');
    expect(() => completed({ ...wish, ha: false }, presentOfThree)).toThrow(/make swarm-down, .*HA=off$/);
    expect(() => completed({ ...wish, ha: true }, present)).toThrow(/make swarm-down, .*HA=on$/);
    expect(() => variables({ ...wishOfThree, redundantImage: undefined }, null)).toThrow(/REDUNDANT_IMAGE=/);
  });

  test('what is there is what Swarm tells of its services', () => {
    const container = { Image: 'r.example/booking:1@sha256:0', Env: ['LAB_MODE=on', 'PORT=3000'] };
    const booking = { Mode: { Replicated: { Replicas: 9 } }, TaskTemplate: { ContainerSpec: container } };
    const nginx = { ...booking, Mode: {}, EndpointSpec: { Ports: [{ PublishedPort: 80 }] } };
    const router = { ...nginx, TaskTemplate: { ContainerSpec: { Image: 'r.example/redundant:1@sha256:1' } } };
    const told = [booking, nginx, router].map((Spec) => JSON.stringify([{ Spec }])) as [
      string,
      string,
      string,
    ];
    expect(presentOf(told[0], told[1], null)).toEqual(present);
    expect(presentOf(...told)).toEqual(presentOfThree);
  });
});

describe('the health check of a replica', () => {
  const script = stack.services['booking']?.healthcheck?.test?.at(-1)?.replaceAll('$$', '$') ?? '';

  test('asks whether it can book until it could once, and from then on whether it lives', async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'lastseat-health-'));
    const well = new Set(['/livez']);
    const asked: string[] = [];
    await using server = createServer(({ url = '' }, answer) => {
      asked.push(url);
      answer.writeHead(well.has(url) ? 200 : 503).end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const here = script.replaceAll('/tmp/was-ready', join(folder.path, 'was-ready'));
    const check = async () => (await capture('env', [`PORT=${port}`, 'bash', '-c', here], 10_000)).code;

    expect(await check()).toBe(1);
    well.add('/readyz');
    expect(await check()).toBe(0);
    well.delete('/readyz');
    expect(await check()).toBe(0);
    well.clear();
    expect(await check()).toBe(1);
    expect(asked).toEqual(['/readyz', '/readyz', '/livez', '/livez']);
  });

  test('fails where nobody listens', async () => {
    expect((await capture('env', ['PORT=1', 'bash', '-c', script], 10_000)).code).toBe(1);
  });
});

const cli = await capture('docker', ['stack', 'config', '--help'], 10_000);

/** The stack as docker reads it, which is what it would send to a swarm. */
async function readByDocker(asked: Wish) {
  const env = Object.entries(variablesOf(asked)).map((pair) => pair.join('='));
  const files = stackFilesOf(asked).flatMap((file) => ['--compose-file', file]);
  const args = [...env, 'docker', 'stack', 'config', ...files];
  const { code, stdout, stderr } = await capture('env', args, 10_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return parseStack(stdout);
}

test('docker reads the stack', async ({ skip }) => {
  skip(cli.code !== 0, 'the docker command is not installed');
  const read = await readByDocker({ ...wish, image: 'x:1' });
  expect(Object.keys(read.services)).toEqual(Object.keys(stack.services).toSorted());
});

test('docker reads both files as one with three of each server', async ({ skip }) => {
  skip(cli.code !== 0, 'the docker command is not installed');
  const { services } = await readByDocker(wishOfThree);
  expect(Object.keys(services)).toEqual([...Object.keys(stack.services), ...REDUNDANT_PARTS].toSorted());
  for (const alone of ['postgres', 'redis']) expect(services[alone]?.deploy?.replicas).toBe(0);
  const { environment } = services['booking'] ?? {};
  expect(environment).toMatchObject(threeInCompose.services['booking']?.environment ?? {});
  expect(environment).toMatchObject({ DATABASE_URL: 'postgres://lastseat@postgres:5432/lastseat' });
  expect(services['postgres-2']?.deploy?.placement?.constraints).toEqual(['node.labels.lastseat-data == 2']);
});

test('a stack passes on every setting that make up does, and none that the service does not know', () => {
  const { environment = {} } = stack.services['booking'] ?? {};
  const passed = SERVICE_SETTINGS.filter((name) => name !== 'BOOKING_KEY' && name !== 'OPERATORS');
  expect(Object.keys(environment)).toEqual(expect.arrayContaining([...passed]));
  expect(Object.keys(environment).filter((name) => !SETTINGS.includes(name))).toEqual([]);
});
