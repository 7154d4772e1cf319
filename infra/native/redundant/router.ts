import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Binary } from '../../servers/binaries.ts';
import { probePrimary } from '../../servers/postgres.ts';
import { askRedis } from '../../servers/redis.ts';
import type { Part } from '../parts.ts';
import { makePrivateDir, ownerOf } from '../places.ts';
import { membersOf } from './members.ts';
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
    'global',
    '  maxconn 2000',
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    // A primary on a busy machine may be slow to say that it is one; one that says it is none is believed sooner.
    '  timeout check 5s',
    // Pools keep idle connections; the kernel finds out which of them have lost their other end.
    '  timeout client 1h',
    '  timeout server 1h',
    '  option clitcpka',
    '  option srvtcpka',
    // A connection to a server that is the primary no longer ends at once: what it asks would be refused.
    '  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions',
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
