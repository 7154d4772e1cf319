import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { readOptions } from '#src/swarm/options.ts';
import { findSwarm } from '#src/swarm/swarm.ts';

/** A swarm that is asked by a command named docker, which answers as files say. */

const fake = `#!/bin/sh
cd "$(dirname "$0")"
host=here
if [ "$1" = --host ]; then host=$2; shift 2; fi
case "$*" in
  --version) ;;
  info*) cat "info-$host" ;;
  'node ls'*label=test=yes*) cat labelled ;;
  'node ls'*Leader*) cat leader ;;
  'node ls'*ManagerStatus*) cat leader ;;
  'node ls'*) cat nodes ;;
  *) exit 1 ;;
esac
`;

const hosts = ['h1', 'h2', 'h3'];
let folder: string;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const info = (number: number, swarm: object = {}) =>
  write(
    `info-h${number}`,
    JSON.stringify({
      Name: `n${number}`,
      Swarm: { NodeAddr: `10.0.0.${number}`, ControlAvailable: true, Cluster: { ID: 'one' }, ...swarm },
    }),
  );

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastseat-test-swarm-'));
  writeFileSync(join(folder, 'docker'), fake, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  for (const number of [1, 2, 3]) info(number);
  write('nodes', 'n1\nn2\nn3');
  write('labelled', 'n1\nn2\nn3');
  write('leader', 'n1 Reachable\nn2 Leader\nn3 Reachable');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('a swarm whose nodes all carry the label is struck by the commands, and asked where nothing was struck', async () => {
  write('told', '');
  const swarm = await findSwarm(hosts, { kill: `echo kill >> ${folder}/told; true`, boot: 'true' });
  expect((await swarm.leader())?.name).toBe('n2');
  const [first] = swarm.nodes;
  await swarm.strike('kill', first!);
  expect(swarm.standing().map(({ name, address }) => `${name} ${address}`)).toEqual([
    'n2 10.0.0.2',
    'n3 10.0.0.3',
  ]);
  rmSync(join(folder, 'info-h1'));
  expect((await swarm.leader())?.name).toBe('n2');
  expect(await swarm.mend(first!)).toBe('boot');
  expect(swarm.standing()).toHaveLength(3);
});

test('a node is mended by what undoes the strike, and again where the swarm has no leader yet', async () => {
  // It ends well the second time.
  const plug = `cd ${folder}; [ -e tried ] || { touch tried; exit 1; }; true`;
  const swarm = await findSwarm(hosts, { unplug: 'true', plug, boot: 'exit 1 #' });
  const [first] = swarm.nodes;
  await swarm.strike('unplug', first!);
  expect(await swarm.mend(first!)).toBe('plug');
  expect(swarm.standing()).toHaveLength(3);
});

test('a command that fails is told with what it said', async () => {
  const swarm = await findSwarm(hosts, { kill: 'echo no such node >&2; exit 3 #' });
  await expect(swarm.strike('kill', swarm.nodes[0]!)).rejects.toThrow(
    /^KILL=.* n1 did not end well: no such node$/,
  );
});

test.each<[what: string, change: () => void, message: RegExp]>([
  ['has a node without the label', () => write('labelled', 'n1\nn3'), /label test=yes is missing \(n2\)$/],
  ['has no labels at all', () => write('labelled', ''), /^this swarm is not made for tests.*\(n1, n2, n3\)$/],
  [
    'has a node that is not named',
    () => write('nodes', 'n1\nn2\nn3\nn4'),
    /label test=yes is missing \(n4\)$/,
  ],
  [
    'has a labelled node that is not named',
    () => ['nodes', 'labelled'].forEach((file) => write(file, 'n1\nn2\nn3\nn4')),
    /^HOSTS names not all nodes of the swarm \(n4\)$/,
  ],
  ['has an engine that is silent', () => rmSync(join(folder, 'info-h2')), /no Docker engine answers at h2$/],
  ['has a worker', () => info(3, { ControlAvailable: false }), /^HOSTS: n3 \(h3\) is no manager of a swarm/],
  ['is two swarms', () => info(2, { Cluster: { ID: 'two' } }), /not all of one swarm$/],
  ['has no leader', () => rmSync(join(folder, 'nodes')), /has no leader that answers$/],
])('a swarm that %s is refused', async (_what, change, message) => {
  change();
  await expect(findSwarm(hosts, {})).rejects.toThrow(message);
});

test('without the docker command it says so', async () => {
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
  await expect(findSwarm(hosts, {})).rejects.toThrow('the docker command is not installed');
});

test('what strikes no node needs no commands', () => {
  const { scenarios } = readOptions([], { HOSTS: 'a b c', NAME: 'scale,release' });
  expect(scenarios.map(({ name }) => name)).toEqual(['scale', 'release']);
});

test('what strikes one of three servers is played where there are three', () => {
  const struck = { HOSTS: 'a b c', KILL: 'k', BOOT: 'b', UNPLUG: 'u', PLUG: 'p' };
  const playedWith = (env: object) =>
    readOptions([], { ...struck, ...env }).scenarios.map(({ name }) => name);
  expect(playedWith({})).not.toContain('redis-killed');
  expect(playedWith({ HA: 'on' })).toEqual(
    expect.arrayContaining(['scale', 'redis-killed', 'postgres-hands-over']),
  );
  expect(() => playedWith({ NAME: 'scale,redis-killed' })).toThrow(/^NAME=redis-killed: .*HA=on only$/);
});
