import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { describe, expect, test } from 'vitest';

import type { Container } from '../../stack/docker/containers.ts';
import { clocksBeside, labOverlay, overlayOf, writeOverlay } from '../../stack/docker/lab-overlay.ts';
import { partsTable } from '../../stack/docker/parts-table.ts';
import { projectNameOf } from '../../stack/docker/project-name.ts';
import { stackOf } from '../../stack/docker/stack-of.ts';

function container(service: string, number = 1, changes: Partial<Container> = {}): Container {
  return {
    service,
    number,
    name: `lastseat-${service}-${number}`,
    hostname: 'f00d',
    isRunning: true,
    state: 'healthy',
    ports: [],
    address: `172.18.0.${number + 1}`,
    env: {},
    networks: ['lastseat_data'],
    cpus: 1,
    folder: '/somewhere/lastseat',
    files: ['/somewhere/lastseat/docker-compose.yml'],
    ...changes,
  };
}

const stopped = { isRunning: false, state: 'exited (1)' };
const replicas = [10, 2, 1].map((number) =>
  container('booking', number, {
    ports: [{ inside: 3000, publishedAs: null }],
    env: { LOCK_TTL_MS: '500', LOCK_WAIT_MS: '', PORT: '3000' },
  }),
);
const nginx = container('nginx', 1, {
  ports: [
    { inside: 80, publishedAs: null },
    { inside: 8080, publishedAs: '127.0.0.1:8081' },
  ],
});
const redis = container('redis', 1, { ports: [{ inside: 6379, publishedAs: '127.0.0.1:32769' }] });
const postgres = container('postgres', 1, {
  ports: [{ inside: 5432, publishedAs: '127.0.0.1:32768' }],
  env: { POSTGRES_USER: 'lastseat', POSTGRES_PASSWORD: 'p@ss/word', POSTGRES_DB: 'seats' },
});
const quorum = [3, 1, 2].map((number) =>
  container(`quorum-${number}`, 1, {
    ports: [{ inside: 6379, publishedAs: `127.0.0.1:${40_000 + number}` }],
  }),
);
const migrate = container('migrate', 1, { isRunning: false, state: 'exited (0)' });

describe('a stack in Docker', () => {
  test('is reached by the ports that it was given, with its own password', () => {
    expect(stackOf([postgres, redis, migrate, ...replicas, nginx])).toEqual({
      runtime: 'docker',
      url: 'http://127.0.0.1:8081',
      postgresUrl: 'postgres://lastseat:p%40ss%2Fword@127.0.0.1:32768/seats',
      redisUrl: 'redis://127.0.0.1:32769',
      quorumUrls: [],
      ha: false,
      watching: null,
      replicas: 3,
      settings: { LOCK_TTL_MS: '500' },
    });
  });

  test('has the replicas that it was given, also while some of them are down', () => {
    const parts = [postgres, redis, nginx, ...replicas.slice(1)];
    expect(stackOf([...parts, container('booking', 10, stopped)])?.replicas).toBe(3);
  });

  test('has a quorum only of servers that run', () => {
    const urls = [1, 2, 3].map((number) => `redis://127.0.0.1:${40_000 + number}`);
    const parts = [postgres, redis, nginx];
    expect(stackOf([...parts, ...quorum])?.quorumUrls).toEqual(urls);
    expect(stackOf([...parts, ...quorum.map((part) => ({ ...part, ...stopped }))])?.quorumUrls).toEqual([]);
  });

  test('is watched while its Prometheus runs', () => {
    const prometheus = container('prometheus', 1, {
      ports: [{ inside: 9090, publishedAs: '127.0.0.1:32770' }],
    });
    const parts = [postgres, redis, nginx];
    const watching = { prometheusUrl: 'http://127.0.0.1:32770', grafanaUrl: null };
    expect(stackOf([...parts, prometheus])?.watching).toEqual(watching);
    expect(stackOf([...parts, { ...prometheus, ...stopped }])?.watching).toBeNull();
  });

  test('of three servers each is reached by what leads to the primaries', () => {
    const router = container('router', 1, {
      ports: [
        { inside: 5432, publishedAs: '127.0.0.1:32771' },
        { inside: 6379, publishedAs: '127.0.0.1:32772' },
      ],
      env: postgres.env,
    });
    const members = [container('postgres-1'), container('redis-1')];
    expect(stackOf([...members, router, ...replicas, nginx])).toMatchObject({
      postgresUrl: 'postgres://lastseat:p%40ss%2Fword@127.0.0.1:32771/seats',
      redisUrl: 'redis://127.0.0.1:32772',
      ha: true,
    });
    expect(stackOf([...members, ...replicas, nginx])).toBeNull();
  });

  test('is none without a door and without anybody behind it', () => {
    expect(stackOf([])).toBeNull();
    expect(stackOf([postgres, redis, ...replicas])).toBeNull();
    expect(stackOf([postgres, redis, { ...nginx, ...stopped }])).toBeNull();
    expect(stackOf([postgres, redis, { ...nginx, ...stopped }, ...replicas])?.replicas).toBe(3);
  });
});

test.each([
  ['/home/ada/lastseat', 'lastseat'],
  ['/home/ada/Last Seat (2)', 'lastseat2'],
  ['/home/ada/_-lastseat_v2', 'lastseat_v2'],
  ['/home/ada/座席', 'lastseat'],
])('the project of %s is named as Compose names it', (folder, name) => {
  expect(projectNameOf(folder)).toBe(name);
});

test('parts are listed as a request meets them, and the migration only if it failed', () => {
  const parts = [postgres, migrate, redis, ...replicas, ...quorum, nginx];
  expect(partsTable(parts).map(([name]) => name)).toEqual([
    'NAME',
    'lastseat-nginx-1',
    'lastseat-booking-1',
    'lastseat-booking-2',
    'lastseat-booking-10',
    'lastseat-redis-1',
    'lastseat-quorum-1-1',
    'lastseat-quorum-2-1',
    'lastseat-quorum-3-1',
    'lastseat-postgres-1',
  ]);
  expect(partsTable([{ ...migrate, state: 'exited (1)' }])).toContainEqual([
    'lastseat-migrate-1',
    'exited (1)',
    '-',
  ]);
  expect(partsTable([])).toEqual([]);
});

test('files of strategies are mounted read-only, each folder once, and the replicas are told where', () => {
  const strategies = ['/home/me/guard.ts', '/home/me/other.ts', '/elsewhere/third.ts'];
  const overlay = labOverlay({ strategies, links: null, clocks: null });
  expect(overlay).toEqual({
    services: {
      booking: {
        environment: { LAB_STRATEGIES: '/app/lab/0/guard.ts,/app/lab/0/other.ts,/app/lab/1/third.ts' },
        volumes: [mount('/home/me', '/app/lab/0'), mount('/elsewhere', '/app/lab/1')],
      },
    },
  });
});

test('where connections are struck, the replicas know no server but the proxies, and wait for them', () => {
  const links = {
    project: 'lastseat',
    infra: '/home/me/infra',
    quorum: ['quorum-1', 'quorum-2', 'quorum-3'],
  };
  const overlay = labOverlay({ strategies: [], links, clocks: null }) as Overlay;
  const { booking, proxies } = overlay.services;
  expect(booking).toEqual({
    environment: {
      DATABASE_URL: 'postgres://lastseat@proxies:5432/lastseat',
      REDIS_URL: 'redis://proxies:6379',
      QUORUM_REDIS_URLS: 'redis://proxies:6381,redis://proxies:6382,redis://proxies:6383',
    },
    depends_on: { proxies: { condition: 'service_healthy' } },
  });
  expect(proxies?.['image']).toBe('lastseat-booking');
  expect(proxies?.['command']).toContain('6382=quorum-2:6379');
  expect(proxies?.['ports']).toEqual([{ target: 9000, host_ip: '127.0.0.1' }]);
});

test('where clocks are set, each replica reads its own from a folder, and nothing else changes', () => {
  const { services } = labOverlay({ strategies: [], links: null, clocks: '/tmp/clocks' }) as Overlay;
  expect(Object.keys(services)).toEqual(['booking']);
  expect(services.booking).toEqual({
    environment: {
      CLOCKS: '/app/lab/clocks',
      NODE_OPTIONS: '--max-semi-space-size=64 --import=/app/lab/preloads/settable-clock.ts',
    },
    volumes: [
      mount('/tmp/clocks', '/app/lab/clocks'),
      expect.objectContaining({ target: '/app/lab/preloads' }),
    ],
  });
});

test('whoever finds the containers finds what they were started with, as long as it is there', () => {
  const path = writeOverlay('lastseat-test', { strategies: [], links: null, clocks: true });
  const folder = dirname(path);
  try {
    const own = ['/somewhere/lastseat/docker-compose.yml', path];
    expect(overlayOf([container('booking', 1, { files: own })])).toBe(path);
    expect(overlayOf([container('booking')])).toBeNull();
    expect(existsSync(clocksBeside(path))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(overlayOf([container('booking', 1, { files: [path] })])).toBeNull();
});

interface Overlay {
  services: { booking: object; proxies?: Record<string, unknown> };
}

function mount(source: string, target: string) {
  return { type: 'bind', source, target, read_only: true };
}
