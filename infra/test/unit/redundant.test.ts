import { readdirSync } from 'node:fs';

import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { membersOf, REDUNDANT_PARTS } from '../../redundant/members.ts';
import { capture } from '../../stack/run-command.ts';
import { parseStack, readText, type Service } from '../support/swarm/stack-file.ts';

/** Three of each server in Docker: that its file agrees with docker-compose.yml and with what all members share. */

const compose = parseStack(readText('docker-compose.yml'));
const text = readText('infra/redundant/compose.yml');
const redundant = parseStack(text);

test('it has the parts that there are natively, and none of those that are alone', () => {
  for (const alone of ['postgres', 'redis']) expect(text).toContain(`\n  ${alone}: !reset null`);
  const parts = new Set(Object.keys(redundant.services));
  const others = new Set(['postgres', 'redis', 'migrate', 'booking']);
  expect(parts.difference(others)).toEqual(new Set(REDUNDANT_PARTS));
  const kept = ['redis', 'sentinel', 'postgres', 'etcd'].flatMap(membersOf);
  expect(Object.keys(redundant.volumes).toSorted()).toEqual(kept.toSorted());
});

test.each(['postgres', 'redis'])('each %s is as bound and as closed as one alone', (kind) => {
  for (const name of membersOf(kind)) {
    expect(bounds(redundant.services[name] ?? { image: '' })).toEqual(
      bounds(compose.services[kind] ?? { image: '' }),
    );
  }
});

test('nothing is published but on loopback, and of the servers nothing but what leads to them', () => {
  const published = Object.entries(redundant.services).flatMap(([name, service]) =>
    (service?.ports ?? []).map(({ target, host_ip }) => `${name} ${host_ip}:${target}`),
  );
  expect(published).toEqual(['router 127.0.0.1:5432', 'router 127.0.0.1:6379']);
});

test('what all members of Postgres share agrees with what one alone has', () => {
  const shared = parse(readText('infra/redundant/patroni/all.yml')) as {
    bootstrap: {
      dcs: { synchronous_mode: boolean; postgresql: { parameters: { max_connections: number } } };
    };
  };
  const { dcs } = shared.bootstrap;
  expect(readText('infra/postgres/postgresql.conf')).toContain(
    `\nmax_connections = ${dcs.postgresql.parameters.max_connections}\n`,
  );
  expect(dcs.synchronous_mode).toBe(true);
});

test('in containers either replica will do for a commit: that file is read after the one which all have in common', () => {
  const containers = parse(readText('infra/redundant/patroni/docker.yml')) as {
    bootstrap: { dcs: { synchronous_mode: string } };
  };
  expect(containers.bootstrap.dcs.synchronous_mode).toBe('quorum');
  const files = readdirSync(new URL('../../redundant/patroni', import.meta.url));
  expect(files.filter((file) => file.endsWith('.yml')).toSorted()).toEqual(['all.yml', 'docker.yml']);
});

const cli = await capture('docker', ['compose', 'version'], 10_000);

test('docker compose reads both files as one', async ({ skip }) => {
  skip(cli.code !== 0, 'docker compose is not installed');
  const files = ['docker-compose.yml', 'infra/redundant/compose.yml'].flatMap((file) => ['--file', file]);
  const args = ['compose', '--project-name', 'x', ...files, 'config', '--services'];
  const { code, stdout } = await capture('docker', args, 30_000);
  expect(code).toBe(0);
  const parts = ['nginx', 'booking', 'migrate', ...REDUNDANT_PARTS];
  expect(stdout.trim().split('\n').toSorted()).toEqual(parts.toSorted());
});

function bounds({ restart, init, read_only, cap_drop, security_opt, logging, mem_limit, cpus }: Service) {
  return { restart, init, read_only, cap_drop, security_opt, logging, mem_limit, cpus };
}
