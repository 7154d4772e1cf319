import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { GROUP, membersOf } from '../../redundant/members.ts';
import type { Binary } from '../../servers/binaries.ts';
import { probeRedis } from '../../servers/redis.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';

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
  const [alone, replicated, watching] = [
    read('redis/redis.conf'),
    read('redundant/replicated-redis.conf'),
    read('redundant/sentinel.conf'),
  ];
  const [first = '', ...others] = membersOf('redis');
  const servers = [first, ...others].map((name) =>
    part(name, {
      binary,
      dataDir,
      port: portOf(name),
      file: 'redis.conf',
      content: [alone, replicated, name === first ? '' : `replicaof 127.0.0.1 ${portOf(first)}`],
      flags: [],
    }),
  );
  const sentinels = membersOf('sentinel').map((name) =>
    part(name, {
      binary,
      dataDir,
      port: portOf(name),
      file: 'sentinel.conf',
      content: [`sentinel monitor ${GROUP} 127.0.0.1 ${portOf(first)} 2`, watching],
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

function read(file: string): string {
  return readFileSync(join(repository, 'infra', file), 'utf8');
}
