import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dockerAt } from '@lastseat/infra/swarm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { chooseDataNodes, labelDataNodes, unlabelDataNodes } from '#src/swarm/data-nodes.ts';
import { serversOf } from '#src/swarm/members.ts';
import type { Swarm, SwarmNode } from '#src/swarm/swarm.ts';

/** Where the data servers of a swarm are: told by a command named docker, which answers as files say. */

const fake = `#!/bin/sh
cd "$(dirname "$0")"
host=$2; shift 2
case "$*" in
  'node inspect'*) cat "label-$3" 2>/dev/null || echo ;;
  'node update --label-add='*) echo "\${3##*=}" > "label-$4" ;;
  'node update --label-rm='*) rm "label-$4" ;;
  ps*) for part in redis-1:h1 redis-2:h2 redis-3:h3 sentinel-1:h1 sentinel-2:h2 sentinel-3:h3; do
         case "$4:$host" in *"_$part") echo "\${part%:*}"; esac
       done ;;
  exec*GET-MASTER*) cat "named-by-$2" ;;
  exec*ROLE*) echo master ;;
  *) exit 1 ;;
esac
`;

let folder: string;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const nodes = [1, 2, 3].map((number): SwarmNode => {
  const host = `h${number}`;
  return { name: `n${number}`, host, docker: dockerAt(host), address: `10.0.0.${number}` };
});
const [n1, n2, n3] = nodes as [SwarmNode, SwarmNode, SwarmNode];
const swarm: Pick<Swarm, 'nodes' | 'manager' | 'leader'> = {
  nodes,
  manager: () => n1.docker,
  leader: () => Promise.resolve(n1),
};
const choose = (ha: boolean) => chooseDataNodes(swarm as Swarm, ha);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lastseat-test-swarm-'));
  writeFileSync(join(folder, 'docker'), fake, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('one node that does not lead is chosen for the data, or three, and carry a label as long as it is lent', async () => {
  expect((await choose(false)).nodes).toEqual([n2]);
  const lent = await choose(true);
  expect(lent.nodes).toEqual([n2, n3, n1]);
  await labelDataNodes(swarm as Swarm, lent);
  expect(await choose(true)).toEqual({ ...lent, areLabelled: true });
  await unlabelDataNodes(swarm as Swarm, await choose(true));
  expect((await choose(true)).areLabelled).toBe(true); // it was theirs before
  await unlabelDataNodes(swarm as Swarm, lent);
  expect(await choose(true)).toEqual(lent);
});

test('nodes that have the labels of another stack are left alone', async () => {
  write('label-n2', '2');
  await expect(choose(true)).rejects.toThrow(
    /^the label lastseat-data is on 1 nodes: .*1, 2, 3 on one each$/,
  );
  expect((await choose(false)).nodes).toEqual([n3]);
});

test('the node of a primary is the one whose member most sentinels name', async () => {
  const servers = serversOf('shop', { ha: true, nodes, areLabelled: true });
  write('named-by-sentinel-1', 'redis-1\n6379');
  write('named-by-sentinel-2', 'redis-3\n6379');
  await expect(servers.nodeOfPrimary('redis')).rejects.toThrow('no member of redis is the primary');
  write('named-by-sentinel-3', 'redis-3\n6379');
  expect(await servers.nodeOfPrimary('redis')).toBe(n3);
  await expect(servers.nodeOfPrimary('postgres')).rejects.toThrow('no member of postgres is the primary');
});

test('a node that has the only data is not struck, and one of three is', () => {
  const single = serversOf('shop', { ha: false, nodes: [n2], areLabelled: true });
  expect(nodes.filter(single.mayBeStruck)).toEqual([n1, n3]);
  const three = serversOf('shop', { ha: true, nodes, areLabelled: true });
  expect(nodes.filter(three.mayBeStruck)).toEqual(nodes);
});
