// Three: the smallest number of which a majority is left when one is lost.
const MEMBERS = 3;

/** `redis-1`, `redis-2`, `redis-3` and their like. */
export function membersOf(kind: string): string[] {
  return Array.from({ length: MEMBERS }, (_, index) => `${kind}-${index + 1}`);
}

/** All parts but nginx and the replicas, in the order in which a request meets them. */
export const REDUNDANT_PARTS = ['router', ...['redis', 'sentinel', 'postgres', 'etcd'].flatMap(membersOf)];

/** What Sentinel and Patroni call the group that they watch. */
export const GROUP = 'lastseat';
