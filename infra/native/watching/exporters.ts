import type { Binary } from '../../servers/binaries.ts';
import { serviceUser } from '../../servers/service-user.ts';
import type { Part } from '../parts.ts';
import { database, watchingRole } from '../postgres.ts';
import type { Secrets } from '../secrets.ts';
import type { Exporter } from './members.ts';
import { expectOk } from './prometheus.ts';

/** They keep nothing: each asks its server when Prometheus asks it. */
export function exporterPart(
  name: Exporter,
  options: { binary: Binary; portOf: (name: string) => number; secrets: Secrets },
): Part {
  const { binary, portOf, secrets } = options;
  const address = `127.0.0.1:${portOf(name)}`;
  const { args, env } = settingsOf(name, portOf, secrets);
  return {
    name,
    command: binary.path,
    args: [...args, `--web.listen-address=${address}`],
    cwd: '/',
    env,
    user: serviceUser('prometheus', 'nobody'),
    stopSignal: 'SIGTERM',
    settings: '',
    url: `http://${address}`,
    probe: (at) => expectOk(`${at}/`),
  };
}

function settingsOf(
  name: Exporter,
  portOf: (name: string) => number,
  { watching }: Secrets,
): { args: string[]; env: Record<string, string> } {
  switch (name) {
    case 'exporter-nginx':
      return { args: [`--nginx.scrape-uri=http://127.0.0.1:${portOf('nginx-status')}/status`], env: {} };
    case 'exporter-redis':
      // Which servers, Prometheus tells it with each question.
      return { args: ['--redis.addr='], env: {} };
    case 'exporter-postgres':
      return {
        args: [],
        env: {
          DATA_SOURCE_URI: `127.0.0.1:${portOf('postgres')}/${database}?sslmode=disable`,
          DATA_SOURCE_USER: watchingRole,
          DATA_SOURCE_PASS: watching,
        },
      };
  }
}
