import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { readConfig } from '#src/config.ts';
import { PROBE_CONNECTIONS, READ_CONNECTIONS } from '#src/storage/pools.ts';

import { maxReplicas } from '../../../../infra/stack/options.ts';

/** superuser_reserved_connections (3), a migration, an audit, the harness and a psql or two. */
const ROOM = 10;

test('as many replicas as there may be leave room in Postgres', () => {
  const conf = readFileSync(new URL('../../../../infra/postgres/postgresql.conf', import.meta.url), 'utf8');
  const maxConnections = Number(/^max_connections = (\d+)$/m.exec(conf)?.[1]);
  const { pgPoolMax } = readConfig({
    LAB_MODE: 'on',
    DATABASE_URL: 'postgres://u:p@db/d',
    REDIS_URL: 'redis://redis',
  });
  const ofOneReplica = pgPoolMax + READ_CONNECTIONS + PROBE_CONNECTIONS;
  expect(maxReplicas * ofOneReplica).toBeLessThanOrEqual(maxConnections - ROOM);
});
