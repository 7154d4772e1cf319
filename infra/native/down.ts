import type { Change } from './change.ts';
import { replicaNumber } from './replicas.ts';

/** Stops everything from the front to the back, so that nobody is left without whom he depends on. */
export async function tearDown({ state, save, parts, step }: Change): Promise<void> {
  state.wanted = null;
  save();
  const names = parts.names();
  const replicas = names.filter((name) => replicaNumber(name) !== null);
  const servers = names.filter((name) => name !== 'nginx' && replicaNumber(name) === null);
  for (const group of [['nginx'], replicas, servers]) {
    await step(`stopping ${group.join(', ')}`, () => Promise.all(group.map((name) => parts.stop(name))));
  }
}
