import { spawnSync } from 'node:child_process';

import { IMAGES } from '../images.ts';
import { toStderr } from './install.ts';
import type { Report } from './install.ts';
import type { RuntimeName } from './server.ts';

/** What the servers of tests are made of. */
export const images = { redis: IMAGES.redis, postgres: IMAGES.postgres } as const;

/** What RUNTIME asks for; null when it leaves the choice to us. */
export function runtimeFromEnvironment(env: NodeJS.ProcessEnv = process.env): RuntimeName | null {
  const wanted = env['RUNTIME'] ?? '';
  if (wanted === '') return null;
  if (wanted === 'docker' || wanted === 'native') return wanted;
  throw new Error(`RUNTIME must be docker or native, not "${wanted}"`);
}

let choice: Promise<RuntimeName> | undefined;

/** Containers where an engine answers and has (or can get) the images, native processes otherwise. Asked once. */
export function chooseServerRuntime(): Promise<RuntimeName> {
  choice ??= choose(toStderr);
  return choice;
}

async function choose(report: Report): Promise<RuntimeName> {
  const wanted = runtimeFromEnvironment();
  if (wanted === 'native') return wanted;
  // Our own watchdog removes the containers of a crashed run through the docker command; testcontainers' reaper
  // would do it with one more image to pull. Without that command, the reaper stays in charge.
  if (spawnSync('docker', ['--version'], { stdio: 'ignore', timeout: 10_000 }).status === 0) {
    process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  }
  const obstacle = await obstacleToDocker(report);
  if (obstacle === null) return 'docker';
  if (wanted === 'docker') throw new Error(`RUNTIME=docker, but ${obstacle}`);
  if (obstacle !== noEngine) report(`${obstacle}: using native servers`);
  return 'native';
}

const noEngine = 'no Docker engine answers';

async function obstacleToDocker(report: Report): Promise<string | null> {
  const { getContainerRuntimeClient, ImageName } = await import('testcontainers');
  const client = await getContainerRuntimeClient().catch(() => null);
  if (client === null) return noEngine;
  for (const image of Object.values(images)) {
    const name = ImageName.fromString(image);
    if (await client.image.exists(name)) continue;
    report(`pulling ${image} ...`);
    try {
      await client.image.pull(name);
    } catch (error) {
      return `the Docker engine has no ${image} and cannot pull it (${String(error)})`;
    }
  }
  return null;
}
