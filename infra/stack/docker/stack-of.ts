import type { Stack } from '../runtime.ts';
import { readServiceSettings } from '../service-settings.ts';
import type { Container } from './containers.ts';

/** As in docker-compose.yml. */
const insidePorts = { nginx: 8080, postgres: 5432, redis: 6379, prometheus: 9090, grafana: 3000 };

/** What the project's containers look like from outside, or null if no booking can reach any of them. */
export function stackOf(containers: readonly Container[]): Stack | null {
  const serviceNamed = (name: string) => containers.filter(({ service }) => service === name);
  const replicas = serviceNamed('booking');
  const [nginx] = serviceNamed('nginx');
  const postgres = containers.find(leadsToPostgres);
  const [router] = serviceNamed('router');
  const redis = router ?? serviceNamed('redis')[0];
  if (!nginx || !postgres || !redis) return null;
  if (![nginx, ...replicas].some(({ isRunning }) => isRunning)) return null;

  const quorum = containers.filter(({ service, isRunning }) => service.startsWith('quorum-') && isRunning);
  const { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database } = postgres.env;
  return {
    runtime: 'docker',
    url: `http://${addressOf(nginx, insidePorts.nginx)}`,
    postgresUrl: `postgres://${user}:${encodeURIComponent(password ?? '')}@${addressOf(postgres, insidePorts.postgres)}/${database}`,
    redisUrl: `redis://${addressOf(redis, insidePorts.redis)}`,
    quorumUrls: quorum
      .sort((a, b) => a.service.localeCompare(b.service))
      .map((server) => `redis://${addressOf(server, insidePorts.redis)}`),
    ha: router !== undefined,
    watching: watchingOf(serviceNamed('prometheus')[0], serviceNamed('grafana')[0]),
    replicas: replicas.length,
    settings: readServiceSettings(replicas[0]?.env ?? {}),
  };
}

/** The server itself; where there are three of them, what leads to the primary, which has the same settings. */
export function leadsToPostgres({ service }: Container): boolean {
  return service === 'postgres' || service === 'router';
}

function watchingOf(prometheus: Container | undefined, grafana: Container | undefined): Stack['watching'] {
  if (!prometheus?.isRunning) return null;
  return {
    prometheusUrl: `http://${addressOf(prometheus, insidePorts.prometheus)}`,
    grafanaUrl: grafana?.isRunning ? `http://${addressOf(grafana, insidePorts.grafana)}` : null,
  };
}

/** Port 0 stands for none: it makes a URL that can be printed and that nothing ever answers. */
function addressOf({ ports }: Container, inside: number): string {
  return ports.find((port) => port.inside === inside)?.publishedAs ?? '127.0.0.1:0';
}
