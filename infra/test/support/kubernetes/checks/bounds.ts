import { PROBE_CONNECTIONS, READ_CONNECTIONS } from '../../../../../services/booking/src/storage/pools.ts';
import { PROXY_IDLE_TIMEOUT_MS, STOPPED_WITHIN_MS } from '../../../../../services/booking/src/time-limits.ts';
import { containersOf, findings, generated, ofKind, podsOf, type Manifest, type Pods } from '../manifests.ts';
import { configOf } from './settings.ts';

/** Nobody is killed before the pause in front of its stop and all that it waits for are over. */
export function graces(objects: readonly Manifest[]): string[] {
  const nginxConf = generated(objects, 'nginx')['nginx.conf'] ?? '';
  const stopsWithinMs: Record<string, number> = {
    booking: STOPPED_WITHIN_MS,
    nginx: Number(/^worker_shutdown_timeout (\d+)s;/m.exec(nginxConf)?.[1]) * 1_000,
  };
  return podsOf(objects).flatMap((pods) => {
    const stopMs = stopsWithinMs[pods.name];
    if (stopMs === undefined) return [];
    const neededMs = pauseMs(pods) + stopMs;
    const graceMs = (pods.spec?.terminationGracePeriodSeconds ?? 30) * 1_000;
    return findings(pods.of, [
      graceMs <= neededMs && `is killed after ${graceMs} ms, and may need ${neededMs}`,
      pauseMs(pods) === 0 && 'stops before others have heard of it',
    ]);
  });
}

function pauseMs(pods: Pods): number {
  return Math.max(
    0,
    ...containersOf(pods).map(({ lifecycle }) => (lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000),
  );
}

/** A replica that stops leaves its idle connections alone until nginx has closed them. */
export function drain(objects: readonly Manifest[]): string[] {
  return bookingPods(objects).flatMap((pods) => {
    const { drainDelayMs } = configOf(objects, pods);
    return drainDelayMs > PROXY_IDLE_TIMEOUT_MS ? [] : [`${pods.of} drains for ${drainDelayMs} ms only`];
  });
}

/** For a psql, the migration, and a replica more while a release goes round. */
const SPARE_CONNECTIONS = 20;

/** All replicas that there may be, and one more in a rolling update, have room in Postgres. */
export function connections(objects: readonly Manifest[]): string[] {
  const [scaler] = ofKind(objects, 'HorizontalPodAutoscaler');
  const limit = maxConnections(objects);
  return bookingPods(objects).flatMap((pods) => {
    const fixed = ofKind(objects, 'Deployment').find(({ metadata }) => metadata.name === 'booking')?.spec
      ?.replicas;
    const replicas = scaler?.spec?.maxReplicas ?? fixed ?? 1;
    const each = configOf(objects, pods).pgPoolMax + READ_CONNECTIONS + PROBE_CONNECTIONS;
    const wanted = (replicas + 1) * each + SPARE_CONNECTIONS;
    return wanted <= limit
      ? []
      : [`${replicas} replicas may want ${wanted} connections, Postgres has ${limit}`];
  });
}

/** Of the Postgres in the manifests; one that is elsewhere is taken to have the default. */
function maxConnections(objects: readonly Manifest[]): number {
  const cluster = objects.find(({ kind }) => kind === 'Cluster') as
    | { spec: { postgresql: { parameters: Record<string, string> } } }
    | undefined;
  if (cluster) return Number(cluster.spec.postgresql.parameters['max_connections']);
  const maps = ofKind(objects, 'ConfigMap').map(({ data }) => (data ?? {}) as Record<string, string>);
  const conf = maps.find((data) => 'postgresql.conf' in data)?.['postgresql.conf'] ?? 'max_connections = 100';
  return Number(/^max_connections = (\d+)/m.exec(conf)?.[1]);
}

function bookingPods(objects: readonly Manifest[]): Pods[] {
  return podsOf(objects).filter(({ name }) => name === 'booking');
}
