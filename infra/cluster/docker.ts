import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { setClock } from '../clocks/index.ts';
import { assertRedundant, findPrimary, handOverPostgres } from '../redundant/primary.ts';
import { toStderr } from '../servers/install.ts';
import { membersOfProject } from '../stack/docker/ask-members.ts';
import { listContainers, type Container } from '../stack/docker/containers.ts';
import { dockerRuntime, isOurs } from '../stack/docker/index.ts';
import { clocksBeside, overlayOf } from '../stack/docker/lab-overlay.ts';
import { byPlace } from '../stack/docker/parts-table.ts';
import { PROXIES } from '../stack/docker/proxies.ts';
import { capture } from '../stack/run-command.ts';
import { UserError } from '../stack/user-error.ts';
import { clusterOf, UNSETTABLE_CLOCK, type Cluster, type ClusterPart, type Following } from './cluster.ts';
import { dockerLinks } from './docker-links.ts';

// What runs once, and what stands between the parts.
const NO_PARTS = new Set(['migrate', PROXIES]);
// Above the grace period of every service in docker-compose.yml.
const STOP_S = 30;
// `clusterOf` has a limit for each action; this one only keeps a silent engine from leaving processes behind.
const COMMAND_MS = 60_000;
const HEALTH_POLL_MS = 200;

/** Each command is a process, which on a busy machine takes long: so a part says which container it is. */
interface DockerPart extends ClusterPart {
  container: string;
}

/**
 * The cluster of docker-compose.yml. Compose pauses and kills whole services; one replica of several is a container, and
 * is asked for by its name. What is killed stays down: an engine restarts only what has ended by itself.
 */
export function dockerCluster(project: string, note: (line: string) => void = toStderr): Cluster {
  const runtime = dockerRuntime(project, { note });

  async function ourContainers(): Promise<Container[]> {
    return (await listContainers(project)).filter(isOurs);
  }

  async function containers(): Promise<Container[]> {
    const parts = (await ourContainers()).filter(({ service }) => !NO_PARTS.has(service));
    return parts.toSorted(byPlace);
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
    pause: ({ container }) => freeze(container),
    resume: ({ container }) => thaw(container),
    async kill({ container, state }) {
      // Some engines can neither stop nor kill what they have frozen.
      if (state === 'paused') await thaw(container);
      await docker('kill', container);
    },
    async start({ name, container }) {
      await docker('start', container);
      await untilHealthy(name);
    },
    async restart({ name, container, state }) {
      if (state === 'paused') await thaw(container);
      await docker('restart', '--time', String(STOP_S), container);
      await untilHealthy(name);
    },
    async reload({ container }) {
      await docker('kill', '--signal', 'HUP', container);
    },
    async scale(replicas) {
      // Compose wants to start what does not run, and cannot start what is frozen.
      const frozen = (await containers()).find(({ state }) => state === 'paused');
      if (frozen) throw new UserError(`scale: ${nameOf(frozen)} is paused; resume it first`);
      await runtime.scale(replicas);
    },
    async logs({ container }, lines) {
      const text = await docker('logs', '--tail', String(lines), container);
      return text.split('\n').filter(Boolean);
    },
    follow: (name, onLine) => follow(async () => (await containerOf(name)).name, onLine),
    links: dockerLinks(ourContainers),
    async setClock({ name, container, instance }, aheadMs) {
      const replica = await containerOf(name);
      const overlay = overlayOf([replica]);
      if (overlay === null || !('CLOCKS' in replica.env)) throw new UserError(UNSETTABLE_CLOCK);
      await setClock(
        clocksBeside(overlay),
        {
          name: instance,
          signal: async () => void (await docker('kill', '--signal', 'USR2', container)),
          follow: (onLine) => follow(async () => container, onLine),
        },
        aheadMs,
      );
    },
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

async function thaw(name: string): Promise<void> {
  await docker('unpause', name);
}

const FOLLOW_AGAIN_MS = 500;
// A part that has said nothing yet has no line that tells it.
const READY_WITHIN_MS = 5_000;

/** The engine's own following ends with the container; it goes on where that one was started again. */
function follow(findName: () => Promise<string>, onLine: (line: string) => void): Following {
  const stopping = new AbortController();
  const ready = Promise.withResolvers<void>();
  setTimeout(ready.resolve, READY_WITHIN_MS).unref();
  let child: ChildProcess | undefined;
  // The engine does not say when it listens: its first line, which is an old one, does.
  let from = ['--tail', '1'];
  let hear = (_old: string): void => {
    ready.resolve();
    hear = onLine;
  };

  async function followOnce(): Promise<void> {
    const name = await findName();
    if (stopping.signal.aborted) return;
    child = spawn('docker', ['logs', '--follow', ...from, name], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.once('error', () => {}); // no engine, no lines
    if (child.stdout) for await (const line of createInterface(child.stdout)) hear(line);
    from = ['--since', String(Date.now() / 1_000)];
  }

  void (async () => {
    while (!stopping.signal.aborted) {
      await followOnce().catch(() => {});
      ready.resolve();
      await sleep(FOLLOW_AGAIN_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  })();
  return {
    ready: ready.promise,
    [Symbol.dispose]() {
      stopping.abort();
      ready.resolve();
      child?.kill('SIGKILL');
    },
  };
}

/** As natively: a service that there may be several of has a number. */
function nameOf({ service, number }: Container): string {
  return service === 'booking' ? `booking-${number}` : service;
}

function partOf(container: Container): DockerPart {
  const { name, service, state, isRunning, hostname } = container;
  return {
    container: name,
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
