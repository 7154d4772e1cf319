import { membersOf } from '../../redundant/members.ts';
import { assertRedundant } from '../../redundant/primary.ts';
import type { Binary } from '../../servers/binaries.ts';
import { portIsFree } from '../../servers/free-port.ts';
import { waitUntil } from '../../servers/server.ts';
import { UserError } from '../../stack/user-error.ts';
import { allSettled } from '../all-settled.ts';
import type { Change } from '../change.ts';
import type { Part } from '../parts.ts';
import { freeBlock, portFor } from '../ports.ts';
import type { Secrets } from '../secrets.ts';
import type { State } from '../state.ts';
import { membersAt } from './ask-members.ts';
import { etcdParts, patroniParts, peerPortOf, restPortOf } from './postgres.ts';
import { redisParts } from './redis.ts';
import { routerPart } from './router.ts';

/** The programs beside Postgres and Redis; Debian has all of them. */
export const REDUNDANT_PROGRAMS = ['patroni', 'etcd', 'haproxy', 'tini'] as const;

type Binaries = Record<'postgres' | 'redis-server' | (typeof REDUNDANT_PROGRAMS)[number], Binary>;

interface Shared {
  binaries: Binaries;
  dataDir: string;
  secrets: Secrets;
}

/**
 * Three of each server, those that watch them, and a router to the primaries.
 * @returns where the superuser of Postgres gets in
 */
export async function startRedundant(change: Change, shared: Shared): Promise<string> {
  const { parts, step } = change;
  await choosePorts(change);
  const portOf = (name: string) => rememberedPort(change.state, name);
  const { etcd, postgres, redis, router } = redundantParts(change.state, shared);
  const startAll = (some: readonly Part[]) => allSettled(some.map((part) => parts.ensure(part)));

  const startPostgres = step('starting three of etcd and of Postgres', async () => {
    await startAll(etcd);
    await startAll(postgres);
  });
  const startRedis = step('starting three of Redis and of its sentinels', () => startAll(redis));
  await allSettled([startPostgres, startRedis]);
  await step('starting the router', () => parts.ensure(router));

  await step('waiting until every server may be lost', () =>
    waitUntil('both replicas of Redis and of Postgres follow', async () => {
      change.signal.throwIfAborted();
      await assertRedundant(membersAt(portOf));
      return true;
    }),
  );
  return adminUrlOf(change.state, shared.secrets);
}

/** All of them; their ports have been chosen. */
export function redundantParts(state: State, { binaries, dataDir, secrets }: Shared) {
  const shared = { dataDir, secrets, portOf: (name: string) => rememberedPort(state, name) };
  return {
    etcd: etcdParts({ ...shared, binaries }),
    postgres: patroniParts({ ...shared, binaries }),
    redis: redisParts({ ...shared, binary: binaries['redis-server'] }),
    router: routerPart({ ...shared, binary: binaries.haproxy, adminUrl: adminUrlOf(state, secrets) }),
  };
}

/** The superuser's, at the router: at whichever Postgres is the primary. */
function adminUrlOf(state: State, { admin }: Secrets): string {
  return `postgres://postgres:${admin}@127.0.0.1:${rememberedPort(state, 'postgres')}/postgres`;
}

function rememberedPort({ ports }: State, name: string): number {
  const port = ports[name];
  if (port === undefined) throw new Error(`${name} has no port`);
  return port;
}

/** The servers write each other's addresses down: their ports stay what they were the first time. */
async function choosePorts({ state, parts }: Change): Promise<void> {
  const ofParts = new Map([
    ...['redis', 'sentinel', 'postgres', 'etcd'].flatMap(membersOf).map((name) => [name, name] as const),
    ...membersOf('etcd').map((name) => [peerPortOf(name), name] as const),
    ...membersOf('postgres').map((name) => [restPortOf(name), name] as const),
  ]);
  const first = (state.ports['first-server'] ??= await freeBlock([
    state.ports['first-replica'],
    state.ports['first-metrics'],
  ]));
  for (const [index, [name, part]] of [...ofParts].entries()) {
    const port = first + index;
    state.ports[name] = port;
    if (parts.isRunning(part) || (await portIsFree(port))) continue;
    throw new UserError(
      `port ${port}, where ${part} was, is taken by another program: end that one, or give the data up with \`make clean\``,
    );
  }
  for (const name of ['postgres', 'redis']) if (!parts.isRunning('router')) await portFor(name, state);
}
