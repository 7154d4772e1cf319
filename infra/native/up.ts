import { join } from 'node:path';

import type { Binary, Program } from '../servers/binaries.ts';
import { portIsFree } from '../servers/free-port.ts';
import { ensureInstalled } from '../servers/install.ts';
import type { Stack, StackOptions } from '../stack/runtime.ts';
import { UserError } from '../stack/user-error.ts';
import { allSettled } from './all-settled.ts';
import type { Change } from './change.ts';
import { logKeeperPart } from './log-keeper.ts';
import { nginxPart, tellNginx, waitUntilServing } from './nginx.ts';
import type { Part, Parts } from './parts.ts';
import { chooseDataDir } from './places.ts';
import { assertBindable, freeBlock, maxReplicas, metricsPortOf, portFor } from './ports.ts';
import { ensureRoles, postgresPart } from './postgres.ts';
import { quorumName, redisPart } from './redis.ts';
import { REDUNDANT_PROGRAMS, startRedundant } from './redundant/start.ts';
import { migrate, replicaName, replicaNumber, replicaPart } from './replicas.ts';
import type { App, Backends } from './replicas.ts';
import { loadSecrets } from './secrets.ts';
import type { Secrets } from './secrets.ts';
import { backendsOf, isRedundant, stackOf } from './stack-of.ts';
import { WATCHING_PROGRAMS } from './watching/members.ts';
import { startWatching, stopWatching, tellPrometheus } from './watching/start.ts';

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
  assertSameServers(change, options.ha ?? false);

  const single = await install(change, SINGLE_PROGRAMS);
  const binaries = options.ha ? { ...single, ...(await install(change, REDUNDANT_PROGRAMS)) } : single;
  const watching = options.watch ? await install(change, WATCHING_PROGRAMS) : null;
  state.dataDir ??= chooseDataDir(change.dir);
  await change.parts.ensure(logKeeperPart(join(change.dir, 'logs')));
  const backends = await startBackends(change, binaries, options.quorum);
  await step('migrating the database', () => migrate(app, backends));
  await keepPlaces(change, options.replicas);
  await step(`starting ${options.replicas} replicas`, () => startReplicas(change, app, options, backends));

  state.ports['nginx'] = options.port;
  await step('starting nginx', () => startNginx(change, binaries.nginx, options));
  await (watching === null ? stopWatching(change) : startWatching(change, watching));
  return finish(change, options);
}

/** One set of servers has not the data of the other. */
function assertSameServers({ state, parts }: Change, ha: boolean): void {
  const runsSingle = parts.isRunning('postgres') || parts.isRunning('redis');
  if (ha ? !runsSingle : !isRedundant(state)) return;
  const [is, wanted] = ha ? ['one of each server', 'on'] : ['three of each server', 'off'];
  throw new UserError(
    `it runs with ${is}, and their data stay with them; to change over: make down up HA=${wanted}`,
  );
}

/** More replicas or fewer, in front of which everything else stays as it is. */
export async function changeReplicas(change: Change, app: App, options: StackOptions): Promise<Stack> {
  const backends = backendsOf(change.state);
  await change.step(`starting replicas up to ${options.replicas}`, () =>
    startReplicas(change, app, options, backends),
  );
  return finish(change, options);
}

const SINGLE_PROGRAMS = ['postgres', 'redis-server', 'nginx'] as const;

type Single = Record<(typeof SINGLE_PROGRAMS)[number], Binary>;
type Redundant = Single & Record<(typeof REDUNDANT_PROGRAMS)[number], Binary>;

async function install<P extends Program>(
  { report }: Change,
  programs: readonly P[],
): Promise<Record<P, Binary>> {
  try {
    return await ensureInstalled(programs, report);
  } catch (error) {
    throw new UserError((error as Error).message, { cause: error });
  }
}

async function startBackends(
  change: Change,
  binaries: Single | Redundant,
  quorum: number,
): Promise<Backends> {
  const { state, parts, step } = change;
  const dataDir = state.dataDir ?? '';
  const secrets = loadSecrets(dataDir);
  const quorumNames = Array.from({ length: quorum }, (_, index) => quorumName(index + 1));
  const startRedis = async (name: string) =>
    parts.ensure(
      redisPart({ name, binary: binaries['redis-server'], dataDir, port: await portOf(change, name) }),
    );

  // One after another: two that choose a port at the same time could choose the same.
  for (const name of quorumNames) await portOf(change, name);
  const startServers = async () => {
    const adminUrl =
      'patroni' in binaries
        ? await startRedundant(change, { binaries, dataDir, secrets })
        : await startSingle(change, binaries, dataDir, secrets, startRedis);
    await ensureRoles(adminUrl, secrets);
  };
  const startQuorum = step('starting the quorum', () => allSettled(quorumNames.map(startRedis)));
  await allSettled([startServers(), startQuorum]);

  for (const name of parts.names()) {
    if (name.startsWith('quorum-') && !quorumNames.includes(name)) await parts.stop(name);
  }
  return backendsOf(state);
}

/** @returns where the superuser of Postgres gets in */
async function startSingle(
  change: Change,
  { postgres }: Single,
  dataDir: string,
  secrets: Secrets,
  startRedis: (name: string) => Promise<unknown>,
): Promise<string> {
  const port = await portOf(change, 'postgres');
  await portOf(change, 'redis');
  const part = await postgresPart({ binary: postgres, dataDir, port, secrets });
  await allSettled([
    change.step('starting postgres', () => change.parts.ensure(part)),
    change.step('starting redis', () => startRedis('redis')),
  ]);
  return part.url;
}

async function portOf({ state, parts }: Change, name: string): Promise<number> {
  return parts.isRunning(name) ? (state.ports[name] ?? 0) : portFor(name, state);
}

/** Two ports for each replica, the second one for Prometheus. Fixed while any replica runs. */
async function keepPlaces({ state, parts }: Change, replicas: number): Promise<void> {
  const isRunning = parts.names().some((name) => replicaNumber(name) !== null && parts.isRunning(name));
  for (const block of ['first-replica', 'first-metrics']) {
    const first = state.ports[block];
    if (first !== undefined && (isRunning || (await areFree(first, replicas)))) continue;
    state.ports[block] = await freeBlock(
      ['first-replica', 'first-metrics', 'first-server'].map((name) => state.ports[name]),
    );
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
  const wanting = Array.from({ length: options.replicas }, (_, index) =>
    replicaPart({
      app,
      number: index + 1,
      place: firstPlaceOf(change) + index,
      metricsPort: metricsPortOf(state, index + 1),
      backends,
      settings: options.settings ?? {},
      labStrategies: options.labStrategies ?? [],
    }),
  );
  const wanted = await Promise.all(wanting);
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
  const places = { firstPlace: firstPlaceOf(change), statusPort: await statusPortOf(change) };
  const knowing = (count: number) => nginxPart({ binary, dir, port, ...places, replicas: count, labMode });
  if (parts.isCurrent(knowing(state.replicasAtStart ?? replicas))) return;
  await parts.stop('nginx');
  tellNginx(dir, { hasChanged: false });
  state.replicasAtStart = replicas;
  await parts.ensure(knowing(replicas));
}

async function statusPortOf({ state, parts }: Change): Promise<number> {
  const remembered = state.ports['nginx-status'];
  return remembered !== undefined && parts.isRunning('nginx') ? remembered : portFor('nginx-status', state);
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
  tellPrometheus(change, options.replicas);
  const surplus = parts.names().filter((name) => (replicaNumber(name) ?? 0) > options.replicas);
  await step(`stopping ${surplus.length} replicas`, () =>
    allSettled(surplus.map((name) => parts.stop(name))),
  );
  state.wanted = options;
  save();
  return stackOf(state);
}
