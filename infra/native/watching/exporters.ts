import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Binary } from '../../servers/binaries.ts';
import { serviceUser } from '../../servers/service-user.ts';
import type { Part } from '../parts.ts';
import { database, watchingRole } from '../postgres.ts';
import type { Secrets } from '../secrets.ts';
import type { Exporter } from './members.ts';
import { expectOk, prometheusDir, readWatching } from './prometheus.ts';

/** They keep nothing: each asks its server when Prometheus asks it. */
export function exporterPart(
  name: Exporter,
  options: { binary: Binary; dataDir: string; portOf: (name: string) => number; secrets: Secrets },
): Part {
  const { binary, portOf } = options;
  const address = `127.0.0.1:${portOf(name)}`;
  const { args, env, settings = '' } = settingsOf(name, options);
  return {
    name,
    command: binary.path,
    args: [...args, `--web.listen-address=${address}`],
    cwd: '/',
    env,
    user: serviceUser('prometheus', 'nobody'),
    stopSignal: 'SIGTERM',
    settings,
    url: `http://${address}`,
    probe: (at) => expectOk(`${at}/`),
  };
}

function settingsOf(
  name: Exporter,
  { dataDir, portOf, secrets }: { dataDir: string; portOf: (name: string) => number; secrets: Secrets },
): { args: string[]; env: Record<string, string>; settings?: string } {
  switch (name) {
    case 'exporter-nginx':
      return { args: [`--nginx.scrape-uri=http://127.0.0.1:${portOf('nginx-status')}/status`], env: {} };
    case 'exporter-redis':
      // Which servers, Prometheus tells it with each question.
      return { args: ['--redis.addr='], env: {} };
    case 'exporter-postgres': {
      // A copy: its user may not be able to read the repository.
      const settings = readWatching('postgres-queries.yml');
      const path = join(prometheusDir(dataDir), 'postgres-queries.yml');
      writeFileSync(path, settings, { mode: 0o644 });
      return {
        settings,
        args: [`--extend.query-path=${path}`],
        env: {
          DATA_SOURCE_URI: `127.0.0.1:${portOf('postgres')}/${database}?sslmode=disable`,
          DATA_SOURCE_USER: watchingRole,
          DATA_SOURCE_PASS: secrets.watching,
        },
      };
    }
  }
}
