import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { deploy, remove } from '../../swarm/deploy.ts';
import { dockerAt } from '../../swarm/docker.ts';

/** What is told to Docker, and what is made of its answers: by a command of that name which answers as files say. */

const fake = `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> told
case "$*" in
  info*) cat is-manager ;;
  'node ls'*=yes) cat data-nodes ;;
  'node ls'*) cat "data-node-\${5##*=}" ;;
  'service ls'*) cat services ;;
  'service inspect lastseat_router') cat router ;;
  'service inspect lastseat_booking --format'*) cat update ;;
  'service inspect'*) cat service ;;
  'secret inspect'*) test -f "secret-$3" ;;
  'secret create'*) cat > "secret-$3" ;;
  'stack ps'*) test -f tasks && mv tasks ended ;;
  'stack deploy'*) echo "$REPLICAS $BOOKING_IMAGE $REDUNDANT_IMAGE" > deployed; test ! -f next-update || mv next-update update ;;
esac
`;

const docker = dockerAt();
let folder: string;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastseat-swarm-'));
  writeFileSync(join(folder, 'docker'), fake, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  write('is-manager', 'true');
  write('data-nodes', 'n1');
  write('update', 'null');
  write('services', '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const notes: string[] = [];
const note = (line: string) => void notes.push(line);
const wish = {
  stack: 'lastseat',
  ha: undefined,
  replicas: 5,
  port: undefined,
  image: 'booking:1',
  redundantImage: undefined,
  settings: {},
};
const given = { postgres: 'p@ss word', admin: undefined };
const rolledBack = '{"State":"rollback_completed","StartedAt":"1","Message":"rollback completed"}';

test('it deploys what was asked for, with secrets that are made once', async () => {
  await deploy(docker, wish, given, note);
  expect(read('deployed')).toBe('5 booking:1 \n');
  expect(read('told')).toMatch(/stack deploy [^]*service rm lastseat_migrate/);
  expect(read('secret-lastseat-postgres-password')).toBe('p@ss word');
  const token = read('secret-lastseat-admin-token');
  expect(token).toMatch(/^[\w-]{32}$/);
  // Nobody is told the token again, and nobody the password.
  expect(notes.join('\n')).toContain(token);
  expect(notes.join('\n')).not.toContain('p@ss word');

  await deploy(docker, wish, { postgres: 'another', admin: 'another' }, note);
  expect(read('secret-lastseat-postgres-password')).toBe('p@ss word');
  expect(read('secret-lastseat-admin-token')).toBe(token);
});

test.each([
  ['booking:1', 'never'],
  ['somebody/booking:1', 'never'],
  ['registry.example.com/booking:1', 'always'],
  ['localhost:5000/booking:1', 'always'],
])('of %s the digest is asked for: %s', async (image, resolve) => {
  await deploy(docker, { ...wish, image }, given, note);
  expect(read('told')).toContain(`--resolve-image ${resolve} `);
});

test('a release that was taken back is an error, and that of an earlier time is none', async () => {
  write('next-update', rolledBack);
  await expect(deploy(docker, wish, given, note)).rejects.toThrow(
    /did not come up, and the one before serves/,
  );
  await deploy(docker, wish, given, note);
});

test.each([
  ['is-manager', 'false', /this engine manages no swarm: docker swarm init/],
  ['data-nodes', '', /docker node update --label-add lastseat-data=yes NODE/],
])('nothing is changed where %s is "%s"', async (file, text, message) => {
  write(file, text);
  await expect(deploy(docker, wish, given, note)).rejects.toThrow(message);
  expect(readdirSync(folder)).not.toContain('deployed');
  expect(readdirSync(folder)).not.toContain('secret-lastseat-admin-token');
});

const ofThree = { ...wish, ha: true, redundantImage: 'redundant:1' };

test('three of each server need three machines, each for one of them', async () => {
  for (const number of [1, 2]) write(`data-node-${number}`, `n${number}`);
  write('data-node-3', '');
  await expect(deploy(docker, ofThree, given, note)).rejects.toThrow(
    /docker node update --label-add lastseat-data=3 NODE/,
  );
  write('data-node-3', 'n3\nn4');
  await expect(deploy(docker, ofThree, given, note)).rejects.toThrow(/^2 machines carry lastseat-data=3/);
  expect(readdirSync(folder)).not.toContain('deployed');
  write('data-node-3', 'n3');
  await deploy(docker, ofThree, given, note);
  expect(read('deployed')).toBe('5 booking:1 redundant:1\n');
  expect(read('told')).toMatch(/stack deploy .*stack\.yml .*ha\.yml lastseat/);
});

const inspected = (image: string) =>
  JSON.stringify([{ Spec: { Mode: {}, TaskTemplate: { ContainerSpec: { Image: image } } } }]);

test('three of each server stay so when something else is changed, also where a manager answers late', async () => {
  for (const number of [1, 2, 3]) write(`data-node-${number}`, `n${number}`);
  write('services', 'lastseat_booking\nlastseat_nginx\nlastseat_router');
  write('service', inspected('booking:1'));
  await expect(deploy(docker, wish, given, note)).rejects.toThrow(
    /^docker service inspect lastseat_router: no answer$/,
  );
  expect(readdirSync(folder)).not.toContain('deployed');
  write('router', inspected('redundant:7'));
  await deploy(docker, wish, given, note);
  expect(read('deployed')).toBe('5 booking:1 redundant:7\n');
  expect(read('told')).toMatch(/stack deploy .*ha\.yml/);
});

test('what Docker refuses is told in its words', async () => {
  write('docker', fake.replace("'stack deploy'*)", "'stack deploy'*) echo no space left >&2; exit 1;"));
  await expect(deploy(docker, wish, given, note)).rejects.toThrow('docker stack deploy: no space left');
});

test('it is removed by name, also where no machine is chosen for the data, and gone when its tasks are', async () => {
  write('data-nodes', '');
  write('tasks', 'a\nb\n');
  await remove(docker, 'lastseat');
  expect(read('told')).toContain('stack rm lastseat\nstack ps --quiet lastseat\nstack ps --quiet lastseat\n');
});
