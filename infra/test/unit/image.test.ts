import { expect, test } from 'vitest';

import { PING_TIMEOUT_MS } from '../../../services/booking/src/time-limits.ts';
import { IMAGES } from '../../images.ts';
import { productionPackages } from '../support/image/packages.ts';
import { parseStack, readText } from '../support/swarm/stack-file.ts';

/** The image of the service, and the images that everything else runs in. */

const dockerfile = readText('services/booking/Dockerfile');

test('every image is that of infra/images.ts, wherever it is named', () => {
  const shared = new Set<string>(Object.values(IMAGES));
  const paths = [
    'docker-compose.yml',
    'infra/redundant/compose.yml',
    'infra/swarm/stack.yml',
    'infra/swarm/ha.yml',
  ];
  const files = paths.map((path) => parseStack(readText(path)));
  const named = files.flatMap(({ services }) => Object.values(services).map((service) => service?.image));
  const base = /^ARG NODE_IMAGE=(.*)$/m.exec(dockerfile)?.[1] ?? '';
  const redundant = /^ARG POSTGRES_IMAGE=(.*)$/m.exec(readText('infra/redundant/Dockerfile'))?.[1] ?? '';
  const others = named.concat(base, redundant).filter((image) => image && !shared.has(image));
  const built = ['booking', 'redundant'].map((name) => `\${COMPOSE_PROJECT_NAME}-${name}`);
  expect(new Set(others)).toEqual(new Set([...built, '${BOOKING_IMAGE}', '${REDUNDANT_IMAGE}']));
  expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from)).toEqual([
    '${NODE_IMAGE}',
    '${NODE_IMAGE}',
  ]);
});

test('the image installs what the lockfile says, and has the manifests of all workspaces for it', () => {
  const { workspaces } = JSON.parse(readText('package.json')) as { workspaces: string[] };
  const copied = [...dockerfile.matchAll(/^COPY (\S+)\/package\.json /gm)].map(([, folder]) => folder);
  const folders = workspaces.flatMap((name) =>
    name === 'services/*' ? ['services/booking', 'services/locking'] : [name],
  );
  expect(new Set(copied)).toEqual(new Set(folders));
  expect(dockerfile).toMatch(/^RUN npm ci .*--omit=dev --ignore-scripts/m);
});

test('it runs as a user that is known by number not to be root, and says what it is', () => {
  expect(/^USER (.*)$/m.exec(dockerfile)?.[1]).toBe('1000');
  for (const label of ['title', 'licenses', 'version', 'revision']) {
    expect(dockerfile).toContain(`org.opencontainers.image.${label}=`);
  }
});

test('its health check waits for what it asks for', () => {
  const [, seconds] = /^HEALTHCHECK .*--timeout=(\d+)s/m.exec(dockerfile) ?? [];
  expect(Number(seconds) * 1_000).toBeGreaterThan(PING_TIMEOUT_MS);
});

test('what it is made of may be passed on, and is checked by its hash', () => {
  const packages = productionPackages('services/booking');
  expect(packages.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['hono', 'pg', 'ioredis', 'kysely', 'xtend']),
  );
  expect(packages.map(({ name }) => name)).not.toContain('vitest');
  const free = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD']);
  expect(packages.filter(({ license }) => !free.has(license))).toEqual([]);
  const own = packages.filter(({ integrity }) => integrity === null).map(({ name }) => name);
  expect(own.toSorted()).toEqual(['services/booking', 'services/locking']);
});
