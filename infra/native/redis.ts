import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Binary } from '../servers/binaries.ts';
import { probeRedis } from '../servers/redis.ts';
import type { Part } from './parts.ts';
import { makePrivateDir, ownerOf, repository } from './places.ts';

/** The independent servers of the quorum lock, counted from 1. */
export function quorumName(number: number): string {
  return `quorum-${number}`;
}

/** A Redis under a name of its own: the one for the queue lock, or one of the independent ones for the quorum. */
export function redisPart(options: { name: string; binary: Binary; dataDir: string; port: number }): Part {
  const { name, binary, port } = options;
  const dir = join(options.dataDir, name);
  const user = ownerOf(dir, 'redis', 'nobody');
  makePrivateDir(dir, user);
  const settings = readFileSync(join(repository, 'infra/redis/redis.conf'), 'utf8');
  writeFileSync(join(dir, 'redis.conf'), settings, { mode: 0o644 });
  return {
    name,
    command: binary.path,
    args: ['redis.conf', '--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
    cwd: dir,
    env: {},
    user,
    stopSignal: 'SIGTERM',
    settings,
    url: `redis://127.0.0.1:${port}`,
    probe: probeRedis,
  };
}
