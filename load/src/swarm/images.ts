import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

import { UserError } from '@lastseat/infra/stack';
import { dockerAt, IMAGES } from '@lastseat/infra/swarm';

import type { DataNodes } from './data-nodes.ts';
import type { SwarmNode } from './swarm.ts';

/** What is released on the swarm. The first and the next are the same program: what is tried is the way from one to the other. */
export interface Releases {
  first: string;
  next: string;
  /** Ends as soon as it is started. */
  bad: string;
  /** Of the members of three; null where there is one of each server. */
  redundant: string | null;
}

const BUILT = 'lastseat-booking:test';
const NEXT = 'lastseat-booking:test-next';
const BAD = 'lastseat-booking:test-bad';
const REDUNDANT = 'lastseat-redundant:test';

const root = fileURLToPath(new URL('../../..', import.meta.url));
// npm ci in a fresh image, on a busy machine.
const BUILD_TIMEOUT_MS = 600_000;

/** Made by the engine of this machine. @param image of the service; without it, it is built of this checkout */
export async function makeReleases(
  image: string | undefined,
  ha: boolean,
  note: (line: string) => void,
): Promise<Releases> {
  const docker = dockerAt();
  if ((await docker.ask(['version', '--format', '{{.Server.Version}}'])) === null)
    throw new UserError('no Docker engine answers here, which makes the images: docker context use ...');
  if (image !== undefined && (await docker.ask(['image', 'inspect', image])) === null)
    throw new UserError(
      `BOOKING_IMAGE=${image} is not among the images of this machine: docker pull ${image}`,
    );
  note(image === undefined ? 'building the image of this checkout ...' : `making releases of ${image} ...`);
  const first = image ?? BUILT;
  if (image === undefined) {
    const dockerfile = `${root}services/booking/Dockerfile`;
    await docker.tell(['build', '--file', dockerfile, '--tag', BUILT, root], { timeoutMs: BUILD_TIMEOUT_MS });
  }
  for (const [name, line] of [
    [NEXT, 'LABEL lastseat.release=next'],
    [BAD, 'USER 0\nRUN rm src/main.ts\nUSER 1000'],
  ] as const) {
    const input = `FROM ${first}\n${line}\n`;
    await docker.tell(['build', '--tag', name, '-'], { input, timeoutMs: BUILD_TIMEOUT_MS });
  }
  if (!ha) return { first, next: NEXT, bad: BAD, redundant: null };
  note('building the image of the members of three ...');
  const folder = `${root}infra/redundant`;
  await docker.tell(['build', '--tag', REDUNDANT, folder], { timeoutMs: BUILD_TIMEOUT_MS });
  return { first, next: NEXT, bad: BAD, redundant: REDUNDANT };
}

/** A swarm without a registry: every node gets what it will run, from this machine, unless it has it. */
export async function bringImages(
  { redundant, ...releases }: Releases,
  nodes: readonly SwarmNode[],
  data: DataNodes,
  note: (line: string) => void,
): Promise<void> {
  const here = dockerAt();
  for (const node of nodes) {
    const hasData = data.nodes.some(({ name }) => name === node.name);
    const servers = [...(hasData ? [IMAGES.redis] : []), redundant ?? (hasData ? IMAGES.postgres : null)];
    const wanted = [...Object.values(releases), IMAGES.nginx, ...servers].filter((name) => name !== null);
    const missing: string[] = [];
    for (const image of wanted) {
      const [ours, theirs] = await Promise.all([here, node.docker].map((docker) => idOf(docker, image)));
      if (ours === null && theirs === null)
        throw new UserError(`the image ${image} is neither on ${node.name} nor here: docker pull ${image}`);
      if (ours !== null && ours !== theirs) missing.push(image);
    }
    if (missing.length === 0) continue;
    note(`${node.name} gets ${missing.join(', ')} ...`);
    await copy(missing, node);
  }
}

const idOf = (docker: SwarmNode['docker'], image: string): Promise<string | null> =>
  docker.ask(['image', 'inspect', '--format', '{{.Id}}', image]);

// Some hundred megabytes through a pipe.
const COPY_TIMEOUT_MS = 300_000;

async function copy(images: readonly string[], { name, host }: SwarmNode): Promise<void> {
  const limits = { timeout: COPY_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  const save = spawn('docker', ['save', ...images], { stdio: ['ignore', 'pipe', 'ignore'], ...limits });
  const load = spawn('docker', ['--host', host, 'load', '--quiet'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    ...limits,
  });
  const ended = Promise.all([once(save, 'close'), once(load, 'close')]);
  await pipeline(save.stdout, load.stdin).catch(() => {}); // their exit codes say the rest
  const codes = (await ended).map(([code]) => code as number | null);
  if (codes.some((code) => code !== 0))
    throw new UserError(`${name} did not get the images ${images.join(', ')}`);
}
