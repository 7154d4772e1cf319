import { projectsOf } from '../stack/runtimes.ts';
import { UserError } from '../stack/user-error.ts';
import type { Cluster } from './cluster.ts';
import { dockerCluster } from './docker.ts';
import { nativeCluster } from './native.ts';

export type { Cluster, ClusterPart, Following, RedundantKind } from './cluster.ts';
export { dockerCluster } from './docker.ts';
export type { Link, LinkKind } from './links.ts';
export { createLinks, type NativeLinks } from './native-links.ts';
export { nativeCluster } from './native.ts';

/** The cluster that `make up` has started, whichever way. Throws a `UserError` of one line if there is none. */
export async function findCluster(): Promise<Cluster> {
  const projects = projectsOf(process.env);
  for (const cluster of [dockerCluster(projects.docker), nativeCluster(projects.native)]) {
    if ((await cluster.find()) !== null) return cluster;
  }
  throw new UserError('nothing is running: make up');
}
