import { dockerCluster, nativeCluster, type Cluster, type ClusterPart } from '@lastseat/infra/cluster';

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
}

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

/** Where Postgres is when it is asked: in a container it has another port after each start. */
export function postgresFinder(
  cluster: Pick<Cluster, 'find'>,
  atFirst: { postgresUrl: string },
): () => Promise<string> {
  return async () => ((await cluster.find()) ?? atFirst).postgresUrl;
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
  };
}

export async function replicaParts(cluster: Pick<Cluster, 'parts'>): Promise<ClusterPart[]> {
  return (await cluster.parts()).filter(({ kind }) => kind === 'replica');
}

/** Hears each line that these parts say after it has returned. */
export async function followAll(
  cluster: Pick<Cluster, 'follow'>,
  parts: readonly string[],
  onLine: (part: string, line: string) => void,
): Promise<Disposable> {
  const following = new DisposableStack();
  const logs = parts.map((part) => following.use(cluster.follow(part, (line) => onLine(part, line))));
  await Promise.all(logs.map(({ ready }) => ready));
  return following;
}

/** In Docker they name themselves after their host and their process. */
export function isNamed(instanceId: string, { instance }: Pick<ClusterPart, 'instance'>): boolean {
  return instanceId === instance || instanceId.startsWith(`${instance}-`);
}

export async function partOf(cluster: Cluster, instanceId: string): Promise<string> {
  const part = (await replicaParts(cluster)).find((part) => isNamed(instanceId, part));
  if (part === undefined) throw new Error(`no replica is called ${instanceId}`);
  return part.name;
}
