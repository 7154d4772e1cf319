import { dockerCluster, nativeCluster, type Cluster } from '@lastseat/infra/cluster';

import type { BenchStack } from '../bench/stack/start-stack.ts';

/** What can be done to the replicas of a stack that is one's own, called as they call themselves in their answers. */
export interface Replicas {
  /** It runs no more, and knows nothing of it. */
  pause(instanceId: string): Promise<void>;
  resume(instanceId: string): Promise<void>;
  /** As if its machine had lost its power. */
  kill(instanceId: string): Promise<void>;
  /** Those that were killed. */
  startAll(): Promise<void>;
  /** The last marks in the logs, replica by replica, each in the order in which it was made. */
  marks(): Promise<LoggedMark[]>;
}

/** A step of a booking, told at once: whoever is killed answers nobody. */
export interface LoggedMark {
  instanceId: string;
  requestId: string;
  mark: string;
  atMs: number;
  value?: number;
}

// Some bookings that are marked are twenty lines each, and only single ones are.
const LINES = 500;

export function clusterOfStack({
  runtime,
  project,
  home,
  links,
  clocks,
}: Pick<BenchStack, 'runtime' | 'project' | 'home' | 'links' | 'clocks'>): Cluster {
  return runtime === 'native'
    ? nativeCluster(project, { home, links, clocks, report: silently })
    : dockerCluster(project, silently);
}

// What is being done is said by whoever does it.
const silently = () => {};

export function replicasOf(cluster: Cluster): Replicas {
  return {
    pause: async (instanceId) => cluster.pause(await partOf(cluster, instanceId)),
    resume: async (instanceId) => cluster.resume(await partOf(cluster, instanceId)),
    kill: async (instanceId) => cluster.kill(await partOf(cluster, instanceId)),
    async startAll() {
      for (const { name } of await replicaParts(cluster)) await cluster.start(name);
    },
    async marks() {
      const parts = await replicaParts(cluster);
      const logs = await Promise.all(parts.map(async ({ name }) => cluster.logs(name, LINES)));
      return logs.flat().flatMap((line) => markIn(line) ?? []);
    },
  };
}

async function replicaParts(cluster: Cluster) {
  return (await cluster.parts()).filter(({ kind }) => kind === 'replica');
}

/** In Docker they name themselves after their host and their process. */
export async function partOf(cluster: Cluster, instanceId: string): Promise<string> {
  const parts = await replicaParts(cluster);
  const part = parts.find(({ instance }) => instance === instanceId || instanceId.startsWith(`${instance}-`));
  if (part === undefined) throw new Error(`no replica is called ${instanceId}`);
  return part.name;
}

export function markIn(line: string): LoggedMark | null {
  if (!line.includes('"mark"')) return null;
  try {
    return JSON.parse(line) as LoggedMark;
  } catch {
    return null; // it is just being written
  }
}
