import { REDUNDANT_PARTS } from '../redundant/members.ts';
import { findBinary, type Program } from '../servers/binaries.ts';
import { UserError } from '../stack/user-error.ts';
import type { Change } from './change.ts';
import type { Part } from './parts.ts';
import { metricsPortOf } from './ports.ts';
import { postgresPart } from './postgres.ts';
import { redisPart } from './redis.ts';
import { redundantParts } from './redundant/start.ts';
import { replicaNumber, replicaPart, type App } from './replicas.ts';
import { loadSecrets } from './secrets.ts';
import { backendsOf } from './stack-of.ts';
import type { State } from './state.ts';
import { startNginx } from './up.ts';
import { WATCHING_PARTS } from './watching/members.ts';
import { watchingParts } from './watching/start.ts';

/** Starts one part as `up` has started it, whatever has become of the others. One that runs is left alone. */
export async function startPart(change: Change, app: App, name: string): Promise<void> {
  if (change.parts.isRunning(name)) return;
  const { wanted, ports } = change.state;
  if (wanted === null) throw new UserError('nothing is running: make up');
  if (name === 'nginx') {
    await startNginx(change, installed('nginx'), { ...wanted, port: ports['nginx'] ?? wanted.port });
  } else {
    await change.parts.ensure(await partNamed(change, app, name));
  }
}

async function partNamed({ state }: Change, app: App, name: string): Promise<Part> {
  const { ports, dataDir, wanted } = state;
  const number = replicaNumber(name);
  if (number !== null) {
    const place = (ports['first-replica'] ?? 0) + number - 1;
    const metricsPort = metricsPortOf(state, number);
    const { settings = {}, labStrategies = [] } = wanted ?? {};
    const backends = backendsOf(state);
    return replicaPart({ app, number, place, metricsPort, backends, settings, labStrategies });
  }
  if (dataDir !== null && REDUNDANT_PARTS.includes(name)) return redundantPartNamed(state, dataDir, name);
  if (dataDir !== null && WATCHING_PARTS.includes(name)) return watchingPartNamed(state, name);
  const port = ports[name];
  if (dataDir === null || port === undefined) throw new UserError(`${name} has never been started`);
  if (name === 'postgres') {
    return postgresPart({ binary: installed('postgres'), dataDir, port, secrets: loadSecrets(dataDir) });
  }
  return redisPart({ name, binary: installed('redis-server'), dataDir, port });
}

function redundantPartNamed(state: State, dataDir: string, name: string): Part {
  const binaries = {
    postgres: installed('postgres'),
    'redis-server': installed('redis-server'),
    patroni: installed('patroni'),
    etcd: installed('etcd'),
    haproxy: installed('haproxy'),
    tini: installed('tini'),
  };
  const { etcd, postgres, redis, router } = redundantParts(state, {
    binaries,
    dataDir,
    secrets: loadSecrets(dataDir),
  });
  const part = [...etcd, ...postgres, ...redis, router].find((part) => part.name === name);
  if (part === undefined) throw new Error(`there is no ${name}`);
  return part;
}

function watchingPartNamed(state: State, name: string): Part {
  const binaries = {
    prometheus: installed('prometheus'),
    'prometheus-nginx-exporter': installed('prometheus-nginx-exporter'),
    'prometheus-redis-exporter': installed('prometheus-redis-exporter'),
    'prometheus-postgres-exporter': installed('prometheus-postgres-exporter'),
  };
  const part = watchingParts(state, binaries).find((part) => part.name === name);
  if (part === undefined) throw new Error(`there is no ${name}`);
  return part;
}

function installed(program: Program) {
  const binary = findBinary(program);
  if (binary === null) throw new UserError(`${program} is not installed any more`);
  return binary;
}
