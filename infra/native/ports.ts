import { freePort, portIsFree } from '../servers/free-port.ts';
import { assertPortIsFree } from '../stack/port.ts';
import { UserError } from '../stack/user-error.ts';
import type { State } from './state.ts';

/** Replicas that a stack has places for. */
export const maxReplicas = 32;

// Above what freePort() gives out and below the ephemeral ports: nobody else takes a place while it is empty, and
// nginx never hands a booking to a stranger who happens to listen there.
const firstBlock = 25_000;
const blockCount = Math.floor((30_000 - firstBlock) / maxReplicas);

/** The part's port of last time, or a new one if that is taken (or there was none). */
export async function portFor(name: string, state: State): Promise<number> {
  const remembered = state.ports[name];
  if (remembered !== undefined && (await portIsFree(remembered))) return remembered;
  // One that another part has been given may not be in use yet.
  const given = new Set(Object.values(state.ports));
  let port = await freePort();
  while (given.has(port)) port = await freePort();
  state.ports[name] = port;
  return port;
}

/** @returns the first of `maxReplicas` consecutive ports that are all free now, and not given to others already */
export async function freeBlock(given: readonly (number | undefined)[]): Promise<number> {
  const offset = Math.floor(Math.random() * blockCount);
  for (let index = 0; index < blockCount; index += 1) {
    const first = firstBlock + ((offset + index) % blockCount) * maxReplicas;
    if (given.includes(first)) continue;
    const free = await Promise.all(
      Array.from({ length: maxReplicas }, (_, place) => portIsFree(first + place)),
    );
    if (free.every(Boolean)) return first;
  }
  throw new UserError(`No ${maxReplicas} free ports in a row between ${firstBlock} and 30000`);
}

/** Where Prometheus finds a replica; a stack that an older version has started has no such port. */
export function metricsPortOf({ ports }: Pick<State, 'ports'>, replica: number): number | null {
  const first = ports['first-metrics'];
  return first === undefined ? null : first + replica - 1;
}

/** @throws UserError one line that says what to do, when nginx could not answer there */
export async function assertBindable(port: number): Promise<void> {
  await assertPortIsFree(port);
  if (await portIsFree(port)) return;
  throw new UserError(`port ${port} is for root alone; choose another: make up PORT=8080`);
}
