import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { membersOf } from '../../redundant/members.ts';
import type { Binary } from '../../servers/binaries.ts';
import { probePrimary } from '../../servers/postgres.ts';
import { askRedis } from '../../servers/redis.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf, repository } from '../places.ts';
import { restPortOf } from './postgres.ts';

/**
 * One address each for the Postgres and the Redis that are the primaries now. The replicas ask Postgres through it;
 * Redis they find by the sentinels, and only the harness and people come this way.
 */
export function routerPart(options: {
  binary: Binary;
  dataDir: string;
  portOf: (name: string) => number;
  adminUrl: string;
}): Part {
  const { binary, portOf, adminUrl } = options;
  const dir = join(options.dataDir, 'router');
  const user = ownerOf(dir, 'haproxy', 'nobody');
  makePrivateDir(dir, user);
  const servers = (kind: string, checkOf: (name: string) => string) =>
    membersOf(kind).map((name) => `  server ${name} 127.0.0.1:${portOf(name)} check${checkOf(name)}`);
  const settings = [
    readFileSync(join(repository, 'infra/redundant/router.cfg'), 'utf8'),
    'listen postgres',
    `  bind 127.0.0.1:${portOf('postgres')}`,
    '  option httpchk GET /primary',
    '  http-check expect status 200',
    ...servers('postgres', (name) => ` port ${portOf(restPortOf(name))}`),
    'listen redis',
    `  bind 127.0.0.1:${portOf('redis')}`,
    '  option tcp-check',
    '  tcp-check send "INFO replication\\r\\n"',
    '  tcp-check expect string role:master',
    ...servers('redis', () => ''),
  ].join('\n');
  writeFileSync(join(dir, 'haproxy.cfg'), `${settings}\n`, { mode: 0o644 });
  return {
    name: 'router',
    command: binary.path,
    args: ['-db', '-f', join(dir, 'haproxy.cfg')],
    cwd: dir,
    env: {},
    user,
    stopSignal: 'SIGTERM',
    settings,
    url: adminUrl,
    async probe(url) {
      await probePrimary(url);
      const reply = await askRedis(`redis://127.0.0.1:${portOf('redis')}`, 'ROLE');
      if (!reply.includes('master')) throw new Error(`Redis said ${reply.trim()}`);
    },
  };
}
