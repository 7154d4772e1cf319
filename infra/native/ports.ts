import { setTimeout } from 'node:timers/promises';

import { freePort, portIsFree } from '../servers/free-port.ts';
import { assertPortIsFree } from '../stack/port.ts';
import { UserError } from '../stack/user-error.ts';
import type { State } from './state.ts';

const PORT_RELEASE_MS = 1_000;
const POLL_MS = 20;

/** Replicas that a stack has places for. */
export const maxReplicas = 32;

// Above what freePort() gives out and below the ephemeral ports: nobody else takes a place while it is empty, and
// nginx never hands a booking to a stranger who happens to listen there.
const firstBlock = 25_000;
const blockCount = Math.floor((30_000 - firstBlock) / maxReplicas);

/** The part's port of last time, or a new one if that is taken (or there was none). */
export async function portFor(name: string, state: State): Promise<number> {
  const remembered = state.ports[name];
  if (remembered !== undefined && (await isSoonFree(remembered))) return remembered;
  // One that another part has been given may not be in use yet.
  const given = new Set(Object.values(state.ports));
  let port = await freePort();
  while (given.has(port)) port = await freePort();
  state.ports[name] = port;
  return port;
}

/**
 * A server that was killed counts as gone when its first thread is; the others may keep its port for some milliseconds
 * more. With another port, all who know the old one would have to be started again.
 */
async function isSoonFree(port: number): Promise<boolean> {
  const untilMs = performance.now() + PORT_RELEASE_MS;
  while (!(await portIsFree(port))) {
    if (performance.now() > untilMs) return false;
    await setTimeout(POLL_MS);
  }
  return true;
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
