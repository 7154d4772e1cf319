import { join } from 'node:path';

import type { Binary } from '../servers/binaries.ts';
import { portIsFree } from '../servers/free-port.ts';
import { ensureInstalled } from '../servers/install.ts';
import type { Stack, StackOptions } from '../stack/runtime.ts';
import { UserError } from '../stack/user-error.ts';
import type { Change } from './change.ts';
import { logKeeperPart } from './log-keeper.ts';
import { nginxPart, tellNginx, waitUntilServing } from './nginx.ts';
import type { Part, Parts } from './parts.ts';
import { chooseDataDir } from './places.ts';
import { assertBindable, freeBlock, maxReplicas, metricsPortOf, portFor } from './ports.ts';
import { ensureAppRole, postgresPart } from './postgres.ts';
import { quorumName, redisPart } from './redis.ts';
import { migrate, replicaName, replicaNumber, replicaPart } from './replicas.ts';
import type { App, Backends } from './replicas.ts';
import { loadSecrets } from './secrets.ts';
import { backendsOf, stackOf } from './stack-of.ts';

// More servers do not make a quorum safer in practice, only slower.
const maxQuorum = 9;

export function assertValid({ replicas, port, quorum }: StackOptions): void {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > maxReplicas) {
    throw new UserError(`REPLICAS must be a whole number from 1 to ${maxReplicas}`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UserError('PORT must be a whole number from 1 to 65535');
  }
  if (quorum !== 0 && (quorum < 3 || quorum > maxQuorum || quorum % 2 !== 1)) {
    throw new UserError(`QUORUM must be 0 or an odd number from 3 to ${maxQuorum}`);
  }
}

/** Starts what is missing, from the back to the front, and returns when every replica answers through nginx. */
export async function bringUp(change: Change, app: App, options: StackOptions): Promise<Stack> {
  const { state, parts, step } = change;
  const nginxMoves = !parts.isRunning('nginx') || state.ports['nginx'] !== options.port;
  if (nginxMoves) await assertBindable(options.port);

  const binaries = await install(change);
  state.dataDir ??= chooseDataDir(change.dir);
  await change.parts.ensure(logKeeperPart(join(change.dir, 'logs')));
  const backends = await startBackends(change, binaries, options.quorum);
  await step('migrating the database', () => migrate(app, backends));
  await keepPlaces(change, options.replicas);
  await step(`starting ${options.replicas} replicas`, () => startReplicas(change, app, options, backends));

  state.ports['nginx'] = options.port;
  await step('starting nginx', () => startNginx(change, binaries.nginx, options));
  return finish(change, options);
}

/** More replicas or fewer, in front of which everything else stays as it is. */
export async function changeReplicas(change: Change, app: App, options: StackOptions): Promise<Stack> {
  const backends = backendsOf(change.state);
  await change.step(`starting replicas up to ${options.replicas}`, () =>
    startReplicas(change, app, options, backends),
  );
  return finish(change, options);
}

type Binaries = Record<'postgres' | 'redis-server' | 'nginx', Binary>;

async function install({ report }: Change): Promise<Binaries> {
  try {
    return await ensureInstalled(['postgres', 'redis-server', 'nginx'], report);
  } catch (error) {
    throw new UserError((error as Error).message, { cause: error });
  }
}

async function startBackends(
  { state, parts, step }: Change,
  binaries: Binaries,
  quorum: number,
): Promise<Backends> {
  const dataDir = state.dataDir ?? '';
  const secrets = loadSecrets(dataDir);
  const redisNames = ['redis', ...Array.from({ length: quorum }, (_, index) => quorumName(index + 1))];
  const portOf = async (name: string) =>
    parts.isRunning(name) ? (state.ports[name] ?? 0) : portFor(name, state);

  const postgresPort = await portOf('postgres');
  const redisPorts: number[] = [];
  for (const name of redisNames) redisPorts.push(await portOf(name));

  const startPostgres = step('starting postgres', async () => {
    const part = await postgresPart({ binary: binaries.postgres, dataDir, port: postgresPort, secrets });
    await parts.ensure(part);
    await ensureAppRole(part.url, secrets);
  });
  const startRedis = step('starting redis', () =>
    allSettled(
      redisNames.map((name, index) =>
        parts.ensure(
          redisPart({ name, binary: binaries['redis-server'], dataDir, port: redisPorts[index] ?? 0 }),
        ),
      ),
    ),
  );
  await allSettled([startPostgres, startRedis]);

  for (const name of parts.names()) {
    if (name.startsWith('quorum-') && !redisNames.includes(name)) await parts.stop(name);
  }
  return backendsOf(state);
}

/** Two ports for each replica, the second one for Prometheus. Fixed while any replica runs. */
async function keepPlaces({ state, parts }: Change, replicas: number): Promise<void> {
  const isRunning = parts.names().some((name) => replicaNumber(name) !== null && parts.isRunning(name));
  for (const block of ['first-replica', 'first-metrics']) {
    const first = state.ports[block];
    if (first !== undefined && (isRunning || (await areFree(first, replicas)))) continue;
    state.ports[block] = await freeBlock([state.ports['first-replica'], state.ports['first-metrics']]);
  }
}

async function areFree(first: number, count: number): Promise<boolean> {
  const ports = Array.from({ length: count }, (_, place) => first + place);
  return (await Promise.all(ports.map((port) => portIsFree(port)))).every(Boolean);
}

function firstPlaceOf({ state }: Change): number {
  const first = state.ports['first-replica'];
  if (first === undefined) throw new Error('the replicas have no places');
  return first;
}

async function startReplicas(
  change: Change,
  app: App,
  options: StackOptions,
  backends: Backends,
): Promise<void> {
  const { parts, state, signal } = change;
  const wanted = Array.from({ length: options.replicas }, (_, index) =>
    replicaPart({
      app,
      number: index + 1,
      port: firstPlaceOf(change) + index,
      metricsPort: metricsPortOf(state, index + 1),
      backends,
      settings: options.settings ?? {},
      labStrategies: options.labStrategies ?? [],
    }),
  );
  const [running, missing] = [
    wanted.filter(({ name }) => parts.isRunning(name)),
    wanted.filter(({ name }) => !parts.isRunning(name)),
  ];
  await allSettled(missing.map((part) => ensureUsable(parts, part)));
  // Those whose settings changed are replaced one after another, each while all the others serve.
  for (const part of running) {
    if ((await ensureUsable(parts, part)) === 'kept' || !parts.isRunning('nginx')) continue;
    await waitUntilServing(`http://127.0.0.1:${state.ports['nginx']}`, [part.name], signal);
  }
}

/** @throws UserError what a replica says of settings that it cannot use, which is for whoever gave them */
async function ensureUsable(parts: Parts, part: Part): Promise<'kept' | 'started'> {
  try {
    return await parts.ensure(part);
  } catch (error) {
    const [, problems] = /The environment is not usable:\n((?: {2}.*\n?)+)/.exec(String(error)) ?? [];
    if (problems === undefined) throw error;
    throw new UserError(problems.replaceAll(/^ {2}/gm, '').trimEnd(), { cause: error });
  }
}

/** One that runs as it should keeps the replicas that it was started with. */
export async function startNginx(
  change: Change,
  binary: Binary,
  { port, replicas, settings }: StackOptions,
): Promise<void> {
  const { dir, parts, state } = change;
  const labMode = settings?.LAB_MODE ?? 'on';
  const knowing = (count: number) =>
    nginxPart({ binary, dir, port, firstPlace: firstPlaceOf(change), replicas: count, labMode });
  if (parts.isCurrent(knowing(state.replicasAtStart ?? replicas))) return;
  await parts.stop('nginx');
  tellNginx(dir, { hasChanged: false });
  state.replicasAtStart = replicas;
  await parts.ensure(knowing(replicas));
}

/** Waits until all replicas serve; only then those that are no longer wanted may go. */
async function finish(change: Change, options: StackOptions): Promise<Stack> {
  const { dir, state, parts, save, signal, step } = change;
  tellNginx(dir, { hasChanged: options.replicas !== state.replicasAtStart });
  const unseen = parts.started.includes('nginx')
    ? Array.from({ length: options.replicas }, (_, index) => replicaName(index + 1))
    : parts.started.filter((name) => replicaNumber(name) !== null);
  await step('waiting until nginx has found every replica', () =>
    waitUntilServing(`http://127.0.0.1:${state.ports['nginx']}`, unseen, signal),
  );
  const surplus = parts.names().filter((name) => (replicaNumber(name) ?? 0) > options.replicas);
  await step(`stopping ${surplus.length} replicas`, () =>
    allSettled(surplus.map((name) => parts.stop(name))),
  );
  state.wanted = options;
  save();
  return stackOf(state);
}

/** Waits for all, also when one fails: what is still starting could not be stopped again. */
async function allSettled(promises: Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
