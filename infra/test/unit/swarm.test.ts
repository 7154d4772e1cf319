import { once } from 'node:events';
import { mkdtempDisposableSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { SETTINGS } from '../../../services/booking/src/config.ts';
import { capture } from '../../stack/run-command.ts';
import { SERVICE_SETTINGS } from '../../stack/service-settings.ts';
import { presentOf, stackFile, variablesOf } from '../../swarm/variables.ts';
import { checks } from '../support/swarm/checks.ts';
import { parseStack, readText } from '../support/swarm/stack-file.ts';

/** The stack for Docker Swarm: that it agrees with docker-compose.yml, and what a swarm asks of it beyond. */

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
  ['agreement', 'REDIS_URL: redis://redis:6379', 'REDIS_URL: redis://cache:6379', 'booking: environment'],
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
  ['updates', 'mode: replicated-job', 'replicas: 1', 'migrate: runs again and again'],
  ['waiting', '|| path=/livez', '|| path=/readyz', 'booking is killed when a server is away'],
  ['waiting', 'path=/readyz;', 'path=/livez;', 'booking is asked before it can book'],
  ['waiting', 'timeout: 10s', 'timeout: 3s', 'postgres is killed when its machine is busy'],
])('%s: %j for %j is found', (check, right, wrong, finding) => {
  const changed = text.replaceAll(right, wrong);
  expect(changed).not.toBe(text);
  expect(checks[check](parseStack(changed), compose)).toContainEqual(expect.stringContaining(finding));
});

const wish = { stack: 'shop', replicas: undefined, port: undefined, image: undefined, settings: {} };

describe('the variables of the stack', () => {
  const present = { replicas: 9, port: 80, image: 'r.example/booking:1', settings: { LAB_MODE: 'on' } };

  test('are all that it names, but for those that may be missing', () => {
    const named = [...text.matchAll(/\$\{([A-Z_]+)(:?)/g)];
    const needed = named.flatMap(([, name = '', hasDefault]) => (hasDefault === '' ? [name] : []));
    const given = variablesOf({ ...wish, image: 'x:1' }, null);
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter((name) => !(name in given))).toEqual([]);
    expect(given).toMatchObject({ STACK: 'shop', REPLICAS: '3', PORT: '8080', BOOKING_IMAGE: 'x:1' });
  });

  test('what is there stays as it is, and what is asked for changes', () => {
    expect(variablesOf(wish, present)).toMatchObject({ REPLICAS: '9', PORT: '80', LAB_MODE: 'on' });
    const changed = { ...wish, image: 'r.example/booking:2', settings: { LAB_MODE: 'off' } };
    const both = { REPLICAS: '9', LAB_MODE: 'off', BOOKING_IMAGE: 'r.example/booking:2' };
    expect(variablesOf(changed, present)).toMatchObject(both);
    // Another file, and so another name.
    const limitsOf = (settings: object) =>
      variablesOf({ ...wish, image: 'x:1', settings }, null)['DIGEST_NGINX_LIMITS'];
    expect(limitsOf({ LAB_MODE: 'off' })).toBe(limitsOf({}));
    expect(limitsOf({ LAB_MODE: 'on' })).not.toBe(limitsOf({}));
    expect(() => limitsOf({ LAB_MODE: 'yes' })).toThrow(/LAB_MODE=yes/);
    expect(() => variablesOf(wish, null)).toThrow(/BOOKING_IMAGE=/);
  });

  test('what is there is what Swarm tells of its services', () => {
    const container = { Image: 'r.example/booking:1@sha256:0', Env: ['LAB_MODE=on', 'PORT=3000'] };
    const booking = { Mode: { Replicated: { Replicas: 9 } }, TaskTemplate: { ContainerSpec: container } };
    const nginx = { ...booking, Mode: {}, EndpointSpec: { Ports: [{ PublishedPort: 80 }] } };
    const told = [booking, nginx].map((Spec) => JSON.stringify([{ Spec }]));
    expect(presentOf(told[0] ?? '', told[1] ?? '')).toEqual(present);
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

test('docker reads the stack', async ({ skip }) => {
  skip(cli.code !== 0, 'the docker command is not installed');
  const env = Object.entries(variablesOf({ ...wish, image: 'x:1' }, null)).map((pair) => pair.join('='));
  const args = ['docker', 'stack', 'config', '--compose-file', stackFile];
  const { code, stdout, stderr } = await capture('env', [...env, ...args], 10_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(Object.keys(parseStack(stdout).services)).toEqual(Object.keys(stack.services).toSorted());
});

test('a stack passes on every setting that make up does, and none that the service does not know', () => {
  const { environment = {} } = stack.services['booking'] ?? {};
  const passed = SERVICE_SETTINGS.filter((name) => name !== 'BOOKING_KEY' && name !== 'OPERATORS');
  expect(Object.keys(environment)).toEqual(expect.arrayContaining([...passed]));
  expect(Object.keys(environment).filter((name) => !SETTINGS.includes(name))).toEqual([]);
});
