import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { assertRedundant, findPrimary, handOverPostgres } from '../redundant/primary.ts';
import { toStderr } from '../servers/install.ts';
import { membersOfProject } from '../stack/docker/ask-members.ts';
import { listContainers, type Container } from '../stack/docker/containers.ts';
import { dockerRuntime, isOurs } from '../stack/docker/index.ts';
import { byPlace } from '../stack/docker/parts-table.ts';
import { capture } from '../stack/run-command.ts';
import { UserError } from '../stack/user-error.ts';
import { clusterOf, type Cluster, type ClusterPart } from './cluster.ts';

// Above the grace period of every service in docker-compose.yml.
const STOP_S = 30;
// `clusterOf` has a limit for each action; this one only keeps a silent engine from leaving processes behind.
const COMMAND_MS = 60_000;
const HEALTH_POLL_MS = 200;

/**
 * The cluster of docker-compose.yml. Compose pauses and kills whole services; one replica of several is a container, and
 * is asked for by its name. What is killed stays down: an engine restarts only what has ended by itself.
 */
export function dockerCluster(project: string, note: (line: string) => void = toStderr): Cluster {
  const runtime = dockerRuntime(project, note);

  async function containers(): Promise<Container[]> {
    const all = await listContainers(project);
    return all.filter((container) => isOurs(container) && container.service !== 'migrate').toSorted(byPlace);
  }

  async function containerOf(name: string): Promise<Container> {
    const container = (await containers()).find((container) => nameOf(container) === name);
    if (container === undefined) throw new Error('it is not there');
    return container;
  }

  async function untilHealthy(name: string): Promise<void> {
    for (;;) {
      const { state } = await containerOf(name);
      if (state === 'healthy' || state === 'running') return;
      if (state.startsWith('exited')) throw new Error(`it has ${state}`);
      await sleep(HEALTH_POLL_MS);
    }
  }

  const members = membersOfProject(project);

  return clusterOf({
    runtime: 'docker',
    find: runtime.find,
    primary: (kind) => findPrimary(kind, members),
    handOver: (leader) => handOverPostgres(leader, members),
    assertRedundant: () => assertRedundant(members),
    parts: async () => (await containers()).map(partOf),
    pause: async ({ name }) => freeze((await containerOf(name)).name),
    async resume({ name }) {
      await docker('unpause', (await containerOf(name)).name);
    },
    async kill({ name }) {
      const container = await containerOf(name);
      await thaw(container);
      await docker('kill', container.name);
    },
    async start({ name }) {
      await docker('start', (await containerOf(name)).name);
      await untilHealthy(name);
    },
    async restart({ name }) {
      const container = await containerOf(name);
      await thaw(container);
      await docker('restart', '--time', String(STOP_S), container.name);
      await untilHealthy(name);
    },
    async reload({ name }) {
      await docker('kill', '--signal', 'HUP', (await containerOf(name)).name);
    },
    async scale(replicas) {
      // Compose wants to start what does not run, and cannot start what is frozen.
      const frozen = (await containers()).find(({ state }) => state === 'paused');
      if (frozen) throw new UserError(`scale: ${nameOf(frozen)} is paused; resume it first`);
      await runtime.scale(replicas);
    },
    async logs({ name }, lines) {
      const text = await docker('logs', '--tail', String(lines), (await containerOf(name)).name);
      return text.split('\n').filter(Boolean);
    },
    follow: (name, onLine) => follow(async () => (await containerOf(name)).name, onLine),
  });
}

async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await capture('docker', args, COMMAND_MS);
  if (code !== 0) throw new Error(stderr.trim().split('\n').at(-1) || `docker ${args[0]} did not end well`);
  return stdout + stderr;
}

const FREEZE_TRIES = 5;

/** On cgroups of version 1 a container that is busy may not be still at one moment; the engine then gives up, all undone. */
async function freeze(name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await docker('pause', name);
      return;
    } catch (error) {
      if (tries === FREEZE_TRIES || !(error as Error).message.includes('unable to freeze')) throw error;
    }
  }
}

/** Some engines can neither stop nor kill what they have frozen. */
async function thaw({ name, state }: Container): Promise<void> {
  if (state === 'paused') await docker('unpause', name);
}

const FOLLOW_AGAIN_MS = 500;

/** The engine's own following ends with the container; it goes on where that one was started again. */
function follow(findName: () => Promise<string>, onLine: (line: string) => void): Disposable {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let from = ['--tail', '0'];

  async function followOnce(): Promise<void> {
    const name = await findName();
    if (stopping.signal.aborted) return;
    child = spawn('docker', ['logs', '--follow', ...from, name], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.once('error', () => {}); // no engine, no lines
    if (child.stdout) for await (const line of createInterface(child.stdout)) onLine(line);
    from = ['--since', String(Date.now() / 1_000)];
  }

  void (async () => {
    while (!stopping.signal.aborted) {
      await followOnce().catch(() => {});
      await sleep(FOLLOW_AGAIN_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  })();
  return {
    [Symbol.dispose]() {
      stopping.abort();
      child?.kill('SIGKILL');
    },
  };
}

/** As natively: a service that there may be several of has a number. */
function nameOf({ service, number }: Container): string {
  return service === 'booking' ? `booking-${number}` : service;
}

function partOf(container: Container): ClusterPart {
  const { service, state, isRunning, hostname } = container;
  return {
    name: nameOf(container),
    kind: kindOf(service),
    state: state === 'paused' ? 'paused' : isRunning ? 'running' : 'stopped',
    instance: hostname,
  };
}

function kindOf(service: string): ClusterPart['kind'] {
  if (service === 'nginx') return service;
  if (service === 'booking') return 'replica';
  if (service === 'postgres' || service.startsWith('postgres-')) return 'postgres';
  return /^(redis$|redis-|quorum-)/.test(service) ? 'redis' : 'watcher';
}
