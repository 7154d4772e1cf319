import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '@lastseat/infra/stack';
import { deploy, remove, watchedPostgres } from '@lastseat/infra/swarm';

import { labelDataNodes, unlabelDataNodes, type DataNodes } from './data-nodes.ts';
import { serversOf, type Servers } from './members.ts';
import type { Swarm, SwarmNode } from './swarm.ts';

const STACK = 'lastseat-test';
/** At which Postgres can be asked on its node. */
const POSTGRES_PORT = 55_432;

/** The stack of infra/swarm, under a name of its own and with data of its own, which go with it. */
export interface TestStack extends Servers, AsyncDisposable {
  postgresUrl: string;
  /**
   * Returns once it is so, or was taken back, which is a `UserError`. What is left out stays; what is so already is not
   * deployed again.
   */
  deploy(wish: { replicas?: number; image?: string }): Promise<void>;
  /**
   * Until so many replicas are healthy on nodes that stand, and on each of these what every node has. Throws a `UserError`
   * if it takes too long.
   */
  untilWhole(replicas: number, signal: AbortSignal): Promise<void>;
  /** Until each node has a replica at least: one that has booted has none, as Swarm moves nothing to it. */
  spreadOut(replicas: number, signal: AbortSignal): Promise<void>;
  /** How many replicas run on each node that stands, in their order. */
  spread(): Promise<number[]>;
  /** A replica on that node; null if there is none. */
  replicaOn(node: SwarmNode): Promise<string | null>;
}

export interface TestStackOptions {
  data: DataNodes;
  port: number;
  image: string;
  /** Of the members of three; null where there is one of each server. */
  redundantImage: string | null;
  replicas: number;
  note: (line: string) => void;
}

// A node that is lost is noticed after some 15 s; what it ran starts elsewhere, one core for nine replicas.
const WHOLE_WITHIN_MS = 240_000;
/** Fewer are taken away where most of them are, and the next ones go where there are none. */
const FEWEST = 2;
const POLL_MS = 1_000;

export async function startTestStack(swarm: Swarm, options: TestStackOptions): Promise<TestStack> {
  const { data, port, note } = options;
  process.env['TEST_POSTGRES_PORT'] = String(POSTGRES_PORT);
  const password = randomBytes(12).toString('hex');
  const wish = {
    stack: STACK,
    ha: data.ha,
    port: undefined,
    redundantImage: options.redundantImage ?? undefined,
    settings: {},
  };
  const passwords = { postgres: password, admin: undefined };
  const overlay = watchedPostgres(data);
  // Of several nodes that lead to Postgres: all of them stand while it is asked.
  const [first] = data.nodes as [SwarmNode];
  const onEveryNode = ['nginx', ...(data.ha ? ['router'] : [])];
  await sweep();
  await refuseTakenPorts(swarm, data, port);
  await labelDataNodes(swarm, data);

  /** Removes what there is of it, of an earlier run too. */
  async function sweep(): Promise<void> {
    const manager = swarm.manager();
    const stacks = await manager.ask(['stack', 'ls', '--format', '{{.Name}}']);
    if (stacks?.split('\n').includes(STACK)) await remove(manager, STACK);
    const secrets = await manager.ask(['secret', 'ls', '--quiet', '--filter', `name=${STACK}-`]);
    for (const id of secrets?.split('\n').filter(Boolean) ?? []) await manager.ask(['secret', 'rm', id]);
    // A container that is being removed keeps its volume.
    const deadlineMs = performance.now() + VOLUMES_WITHIN_MS;
    for (const { docker } of swarm.nodes) {
      const ours = ['volume', 'ls', '--quiet', '--filter', `name=^${STACK}_`];
      for (const name of (await docker.ask(ours))?.split('\n').filter(Boolean) ?? []) {
        while ((await docker.ask(['volume', 'rm', name])) === null) {
          if (performance.now() > deadlineMs) throw new UserError(`the volume ${name} cannot be removed`);
          await sleep(POLL_MS);
        }
      }
    }
  }

  async function tasks(service: string): Promise<{ node: string; isRunning: boolean }[]> {
    const wanted = ['--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}'];
    const told = await swarm.manager().ask(['service', 'ps', `${STACK}_${service}`, ...wanted]);
    return (told ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [node = '', state] = line.split(' ');
        return { node, isRunning: state === 'Running' };
      });
  }

  async function runningOn(service: string): Promise<number[]> {
    const all = await tasks(service);
    return swarm
      .standing()
      .map(({ name }) => all.filter(({ node, isRunning }) => isRunning && node === name).length);
  }

  async function isWhole(replicas: number): Promise<boolean> {
    const [booking, everywhere, ready] = await Promise.all([
      runningOn('booking'),
      Promise.all(onEveryNode.map(runningOn)),
      swarm.manager().ask(['node', 'ls', '--format', '{{.Hostname}} {{.Status}}']),
    ]);
    const areReady = swarm.standing().every(({ name }) => ready?.split('\n').includes(`${name} Ready`));
    const sum = booking.reduce((sum, number) => sum + number, 0);
    return areReady && sum === replicas && everywhere.flat().every((number) => number === 1);
  }

  let present = { replicas: options.replicas, image: options.image };
  /** Whether that is what there is: after a deployment that failed nobody knows. */
  let known = true;
  const stack: TestStack = {
    ...serversOf(STACK, data),
    postgresUrl: `postgres://lastseat:${password}@${first.address}:${POSTGRES_PORT}/lastseat`,
    async deploy(change) {
      const next = { ...present, ...change };
      if (known && next.replicas === present.replicas && next.image === present.image) return;
      known = false;
      await deploy(swarm.manager(), { ...wish, ...next }, passwords, note, overlay);
      [present, known] = [next, true];
    },
    async untilWhole(replicas, signal) {
      const deadlineMs = performance.now() + WHOLE_WITHIN_MS;
      while (!(await isWhole(replicas))) {
        signal.throwIfAborted();
        if (performance.now() > deadlineMs) {
          const spread = await runningOn('booking');
          throw new UserError(
            `not ${replicas} replicas after ${WHOLE_WITHIN_MS / 1_000} s, but ${spread.join(' + ')}`,
          );
        }
        await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      }
    },
    async spreadOut(replicas, signal) {
      if (!(await runningOn('booking')).includes(0)) return;
      for (const size of [FEWEST, replicas]) {
        const args = ['service', 'scale', '--detach=false', `${STACK}_booking=${size}`];
        await swarm.manager().tell(args, { timeoutMs: WHOLE_WITHIN_MS });
        await stack.untilWhole(size, signal);
      }
    },
    spread: () => runningOn('booking'),
    async replicaOn({ docker }) {
      const ours = `label=com.docker.swarm.service.name=${STACK}_booking`;
      const ids = await docker.ask(['ps', '--quiet', '--filter', ours, '--filter', 'health=healthy']);
      return ids?.split('\n').find(Boolean) ?? null;
    },
    async [Symbol.asyncDispose]() {
      note('removing the stack ...');
      // What was found is told all the same; and the next run begins by removing what this one has left.
      await sweep().catch((error: unknown) => note(`it is not all removed: ${(error as Error).message}`));
      await unlabelDataNodes(swarm, data);
    },
  };
  try {
    await deploy(
      swarm.manager(),
      { ...wish, ...present, port, settings: { LAB_MODE: 'on' } },
      passwords,
      note,
      overlay,
    );
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
  return stack;
}

const VOLUMES_WITHIN_MS = 60_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Swarm would wait for them without a word. */
async function refuseTakenPorts({ nodes }: Swarm, data: DataNodes, port: number): Promise<void> {
  for (const { name, address } of nodes) {
    if (await isTaken(address, port))
      throw new UserError(`port ${port} of ${name} is taken by something else: make test-swarm PORT=...`);
  }
  for (const { name, address } of data.ha ? nodes : data.nodes) {
    if (await isTaken(address, POSTGRES_PORT))
      throw new UserError(`port ${POSTGRES_PORT} of ${name} is taken by something else`);
  }
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: CONNECT_TIMEOUT_MS });
    for (const event of ['connect', 'timeout', 'error'] as const) {
      socket.once(event, () => {
        resolve(event === 'connect');
        socket.destroy();
      });
    }
  });
}
