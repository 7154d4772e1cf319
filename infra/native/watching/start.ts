import { membersOf } from '../../redundant/members.ts';
import type { Binary } from '../../servers/binaries.ts';
import { allSettled } from '../all-settled.ts';
import type { Change } from '../change.ts';
import type { Part } from '../parts.ts';
import { metricsPortOf, portFor } from '../ports.ts';
import { replicaName } from '../replicas.ts';
import { loadSecrets } from '../secrets.ts';
import { isRedundant } from '../stack-of.ts';
import type { State } from '../state.ts';
import { exporterPart } from './exporters.ts';
import { EXPORTERS, PROMETHEUS, WATCHING_PARTS, type WATCHING_PROGRAMS } from './members.ts';
import { prometheusPart, writeTargets } from './prometheus.ts';

export type WatchingBinaries = Record<(typeof WATCHING_PROGRAMS)[number], Binary>;

/** Prometheus and the exporters of the servers. What is watched runs already. */
export async function startWatching(change: Change, binaries: WatchingBinaries): Promise<void> {
  const { state, parts, step } = change;
  for (const name of WATCHING_PARTS) if (!parts.isRunning(name)) await portFor(name, state);
  await step('starting what watches', () =>
    allSettled(watchingParts(state, binaries).map((part) => parts.ensure(part))),
  );
}

export async function stopWatching({ parts }: Change): Promise<void> {
  await allSettled(
    WATCHING_PARTS.filter((name) => parts.record(name) !== null).map((name) => parts.stop(name)),
  );
}

/** All of them; their ports have been chosen. */
export function watchingParts(state: State, binaries: WatchingBinaries): Part[] {
  const dataDir = state.dataDir ?? '';
  const secrets = loadSecrets(dataDir);
  const portOf = (name: string) => rememberedPort(state, name);
  return [
    prometheusPart({ binary: binaries.prometheus, dataDir, portOf }),
    ...EXPORTERS.map((name) => {
      const binary = binaries[`prometheus-${kindOf(name)}-exporter` as const];
      return exporterPart(name, { binary, dataDir, portOf, secrets });
    }),
  ];
}

function kindOf(exporter: (typeof EXPORTERS)[number]) {
  return exporter.replace('exporter-', '') as 'nginx' | 'redis' | 'postgres';
}

/** Tells Prometheus, if there is one, which replicas and which servers there are. */
export function tellPrometheus({ state, parts }: Change, replicas: number): void {
  if (!parts.isRunning(PROMETHEUS)) return;
  const booking = Array.from({ length: replicas }, (_, index) => ({
    address: `127.0.0.1:${metricsPortOf(state, index + 1)}`,
    instance: replicaName(index + 1),
  }));
  const redis = (isRedundant(state) ? membersOf('redis') : ['redis']).map((instance) => ({
    address: `redis://127.0.0.1:${rememberedPort(state, instance)}`,
    instance,
  }));
  const exporters = (['nginx', 'postgres'] as const).map((instance) => ({
    address: `127.0.0.1:${rememberedPort(state, `exporter-${instance}`)}`,
    instance,
  }));
  const dataDir = state.dataDir ?? '';
  writeTargets(dataDir, 'booking', booking);
  writeTargets(dataDir, 'redis', redis);
  for (const exporter of exporters) writeTargets(dataDir, exporter.instance, [exporter]);
}

function rememberedPort({ ports }: State, name: string): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`${name} has no port`);
  return port;
}
