import { nativeRuntime } from '../native/index.ts';
import { dockerRuntime } from './docker/index.ts';
import type { Runtime, Stack } from './runtime.ts';

/** Every way to run the topology, the preferred one first. */
export function runtimesOf(project: string): [docker: Runtime, native: Runtime] {
  return [dockerRuntime(project), nativeRuntime(project)];
}

/** A second stack may run beside the first under another name; the name is all that keeps the two apart. */
export function projectName(env: NodeJS.ProcessEnv = process.env): string {
  return env['COMPOSE_PROJECT_NAME'] || 'lastseat';
}

/** Those that run now: at most one, unless somebody started them by hand. */
export async function runningOf(runtimes: readonly Runtime[]): Promise<{ runtime: Runtime; stack: Stack }[]> {
  const stacks = await Promise.all(
    runtimes.map(async (runtime) => ({ runtime, stack: await runtime.find() })),
  );
  return stacks.flatMap(({ runtime, stack }) => (stack ? [{ runtime, stack }] : []));
}
