import { nativeRuntime } from '../native/index.ts';
import { dockerRuntime, repository } from './docker/index.ts';
import { projectNameOf } from './docker/project-name.ts';
import type { Runtime, Stack } from './runtime.ts';

/**
 * What the stack is called in each way of running. COMPOSE_PROJECT_NAME keeps a second stack apart from the first.
 * Without it Docker's is named as Compose itself would name it, so that both see the same one; what runs natively is in
 * its clone's own folder anyway.
 */
export function projectsOf(env: Readonly<Record<string, string | undefined>>): {
  docker: string;
  native: string;
} {
  const name = env['COMPOSE_PROJECT_NAME'] || null;
  return { docker: name ?? projectNameOf(repository), native: name ?? 'lastseat' };
}

/** Every way to run the topology, the preferred one first. */
export function runtimesOf(env = process.env): [docker: Runtime, native: Runtime] {
  const { docker, native } = projectsOf(env);
  return [dockerRuntime(docker), nativeRuntime(native)];
}

/** Those that run now: at most one, unless somebody started them by hand. */
export async function runningOf(runtimes: readonly Runtime[]): Promise<{ runtime: Runtime; stack: Stack }[]> {
  const stacks = await Promise.all(
    runtimes.map(async (runtime) => ({ runtime, stack: await runtime.find() })),
  );
  return stacks.flatMap(({ runtime, stack }) => (stack ? [{ runtime, stack }] : []));
}
