import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { UserError } from '../stack/user-error.ts';
import type { Docker } from './docker.ts';
import { completed, presentOf, stackFilesOf, variablesOf, type Present, type Wish } from './variables.ts';

/** Images that are pulled, a migration, replicas that are replaced one by one: what takes longer hangs. */
const DEPLOY_TIMEOUT_MS = 600_000;
const REMOVE_TIMEOUT_MS = 300_000;
const POLL_MS = 500;
const QUESTION_TIMEOUT_MS = 15_000;

export const DATA_LABEL = 'lastseat-data';

/** What it says on the machines that have the data, as in stack.yml and ha.yml. */
export function dataLabels(ha: boolean): string[] {
  return ha ? ['1', '2', '3'] : ['yes'];
}

/**
 * Deploys the stack on the swarm of a manager, or changes what is there into what is asked for, and returns once it is so. A
 * release that does not come up is taken back by Swarm, and is an error here.
 * @param overlay another stack file, which adds to those of the stack
 */
export async function deploy(
  docker: Docker,
  asked: Wish,
  passwords: Passwords,
  note: (line: string) => void,
  overlay?: string,
): Promise<void> {
  await refuseWithoutSwarm(docker);
  const wish = completed(asked, await findPresent(docker, asked.stack));
  await refuseWithoutDataNodes(docker, wish.ha);
  const variables = variablesOf(wish);
  for (const line of await makeSecrets(docker, wish.stack, passwords)) note(line);
  const before = await findUpdate(docker, wish.stack);
  note(`deploying ${variables['REPLICAS']} replicas of ${variables['BOOKING_IMAGE']} ...`);
  // An image that names no registry is one that was loaded on each machine: nobody could tell its digest.
  const resolve = /^[^/]+[.:][^/]*\//.test(variables['BOOKING_IMAGE'] ?? '') ? 'always' : 'never';
  const flags = ['--prune', '--detach=false', '--with-registry-auth', '--resolve-image', resolve];
  const files = [...stackFilesOf(wish), ...(overlay === undefined ? [] : [overlay])];
  const named = files.flatMap((file) => ['--compose-file', file]);
  await docker.tell(['stack', 'deploy', ...flags, ...named, wish.stack], {
    env: variables,
    timeoutMs: DEPLOY_TIMEOUT_MS,
  });
  await removeMigration(docker, wish.stack);
  const after = await findUpdate(docker, wish.stack);
  // Of an update that this one was not, it may still tell.
  if (after !== before && /"State":"(rollback|paused)/.test(after)) {
    throw new UserError(`the release did not come up, and the one before serves: ${after}`);
  }
}

/** It is done by now, and sleeps. */
async function removeMigration(docker: Docker, stack: string): Promise<void> {
  await docker.tell(['service', 'rm', `${stack}_migrate`], { timeoutMs: QUESTION_TIMEOUT_MS });
}

/** What Swarm tells of the last update of the replicas, as JSON; `null` if there was none. */
async function findUpdate(docker: Docker, stack: string): Promise<string> {
  return (
    (await docker.ask(['service', 'inspect', `${stack}_booking`, '--format', '{{json .UpdateStatus}}'])) ??
    'null'
  );
}

/** Returns when its tasks have ended. Its data and its passwords stay. */
export async function remove(docker: Docker, stack: string): Promise<void> {
  await refuseWithoutSwarm(docker);
  await docker.tell(['stack', 'rm', stack], { timeoutMs: REMOVE_TIMEOUT_MS });
  // Docker can wait for it too, and waits for ever where several tasks end between two looks.
  const deadlineMs = performance.now() + REMOVE_TIMEOUT_MS;
  while ((await docker.ask(['stack', 'ps', '--quiet', stack])) !== null) {
    if (performance.now() > deadlineMs)
      throw new UserError(
        `${stack} is not gone after ${REMOVE_TIMEOUT_MS / 1_000} s: docker stack ps ${stack}`,
      );
    await sleep(POLL_MS);
  }
}

async function refuseWithoutSwarm(docker: Docker): Promise<void> {
  const isManager = await docker.ask(['info', '--format', '{{.Swarm.ControlAvailable}}']);
  if (isManager === null) throw new UserError('no Docker engine answers: docker context use ...');
  if (isManager !== 'true') {
    throw new UserError('this engine manages no swarm: docker swarm init, or docker context use ...');
  }
}

async function refuseWithoutDataNodes(docker: Docker, ha: boolean): Promise<void> {
  for (const label of dataLabels(ha)) {
    const filter = `node.label=${DATA_LABEL}=${label}`;
    const labelled = (await docker.ask(['node', 'ls', '--quiet', '--filter', filter])) ?? '';
    const machines = labelled.split('\n').filter(Boolean).length;
    if (machines === 0) {
      throw new UserError(
        `no machine is chosen for the data: docker node update --label-add ${DATA_LABEL}=${label} NODE (docker node ls)`,
      );
    }
    if (machines > 1 && ha) {
      throw new UserError(`${machines} machines carry ${DATA_LABEL}=${label}: a member has its data on one`);
    }
  }
}

/** A manager that does not answer is an error: what is there would be taken for nothing, and be removed. */
async function findPresent(docker: Docker, stack: string): Promise<Present | null> {
  const ask = async (...args: string[]): Promise<string> => {
    const told = await docker.ask(['service', ...args]);
    if (told === null) throw new UserError(`docker service ${args.join(' ')}: no answer`);
    return told;
  };
  const names = (await ask('ls', '--format', '{{.Name}}')).split('\n');
  const inspect = async (service: string): Promise<string | null> =>
    names.includes(`${stack}_${service}`) ? ask('inspect', `${stack}_${service}`) : null;
  const [booking, nginx, router] = await Promise.all([
    inspect('booking'),
    inspect('nginx'),
    inspect('router'),
  ]);
  return booking === null || nginx === null ? null : presentOf(booking, nginx, router);
}

/** Those that are given; the others are drawn at random. */
export interface Passwords {
  postgres: string | undefined;
  admin: string | undefined;
}

/** A secret is never changed here: Postgres took its password when its volume was made. */
async function makeSecrets(docker: Docker, stack: string, { postgres, admin }: Passwords): Promise<string[]> {
  const notes: string[] = [];
  for (const [name, given] of [
    ['postgres-password', postgres],
    ['booking-key', undefined],
    ['admin-token', admin],
  ] as const) {
    const secret = `${stack}-${name}`;
    if ((await docker.ask(['secret', 'inspect', secret])) !== null) continue;
    const value = given ?? randomBytes(24).toString('base64url');
    await docker.tell(['secret', 'create', secret, '-'], { input: value, timeoutMs: QUESTION_TIMEOUT_MS });
    // Whoever is to change events has to know it, and Swarm tells it to nobody again.
    const isShown = given === undefined && name === 'admin-token';
    notes.push(
      isShown ? `made the secret ${secret}, shown here only: ${value}` : `made the secret ${secret}`,
    );
  }
  return notes;
}
