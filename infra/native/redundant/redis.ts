import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Binary } from '../../servers/binaries.ts';
import { askRedis, probeRedis } from '../../servers/redis.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';
import { GROUP, membersOf } from './members.ts';

interface Options {
  binary: Binary;
  dataDir: string;
  portOf: (name: string) => number;
}

/**
 * One primary, two replicas and three sentinels that make a replica the primary when the primary does not answer. Redis
 * and the sentinels write down in their own files who is what: the files are made once, and theirs from then on.
 */
export function redisParts({ binary, dataDir, portOf }: Options): Part[] {
  const shared = readFileSync(join(repository, 'infra/redis/redis.conf'), 'utf8');
  const [first = '', ...others] = membersOf('redis');
  const servers = [first, ...others].map((name) =>
    part(name, {
      binary,
      dataDir,
      port: portOf(name),
      file: 'redis.conf',
      content: [
        shared,
        // A primary that is cut off from both replicas takes no writes: they would be lost with it.
        'min-replicas-to-write 1',
        'min-replicas-max-lag 10',
        // Sends its data to a new replica at once, instead of waiting for further ones.
        'repl-diskless-sync-delay 0',
        name === first ? '' : `replicaof 127.0.0.1 ${portOf(first)}`,
      ],
      flags: [],
    }),
  );
  const sentinels = membersOf('sentinel').map((name) =>
    part(name, {
      binary,
      dataDir,
      port: portOf(name),
      file: 'sentinel.conf',
      content: [
        `sentinel monitor ${GROUP} 127.0.0.1 ${portOf(first)} 2`,
        `sentinel down-after-milliseconds ${GROUP} 2000`,
        // An attempt that two sentinels make at once fails, and the next one comes after twice that time.
        `sentinel failover-timeout ${GROUP} 5000`,
        `sentinel parallel-syncs ${GROUP} 2`,
      ],
      flags: ['--sentinel'],
    }),
  );
  return [...servers, ...sentinels];
}

function part(
  name: string,
  options: {
    binary: Binary;
    dataDir: string;
    port: number;
    file: string;
    content: string[];
    flags: string[];
  },
): Part {
  const { binary, port, file, content, flags } = options;
  const dir = join(options.dataDir, name);
  const user = ownerOf(dir, 'redis', 'nobody');
  makePrivateDir(dir, user);
  const path = join(dir, file);
  if (!existsSync(path)) {
    writeFileSync(path, `${content.join('\n')}\n`, { mode: 0o600 });
    if (user) chownSync(path, user.uid, user.gid);
  }
  return {
    name,
    command: binary.path,
    args: [file, ...flags, '--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
    cwd: dir,
    env: {},
    user,
    stopSignal: 'SIGTERM',
    settings: '',
    url: `redis://127.0.0.1:${port}`,
    probe: probeRedis,
  };
}

/** Both replicas follow, and the sentinels know them and one another: from now on one server may be lost. */
export async function assertRedisRedundant(portOf: Options['portOf']): Promise<void> {
  const ask = (name: string, line: string) => askRedis(`redis://127.0.0.1:${portOf(name)}`, line);
  const [watchers, servers] = await Promise.all([
    Promise.all(membersOf('sentinel').map((name) => ask(name, 'INFO sentinel'))),
    Promise.all(membersOf('redis').map((name) => ask(name, 'INFO replication'))),
  ]);
  if (!watchers.every((info) => info.includes(',slaves=2,sentinels=3'))) {
    throw new Error('the sentinels do not all know both replicas and one another');
  }
  if (servers.filter((info) => info.includes('master_link_status:up')).length !== 2) {
    throw new Error('not both replicas follow the primary');
  }
}
