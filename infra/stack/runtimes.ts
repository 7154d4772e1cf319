import type { Runtime } from './runtime.ts';

/**
 * Every way to run the topology, the preferred one first. A second copy may run beside the first under another
 * project name; the name is the only thing that the two do not share.
 */
export function runtimesOf(_project: string): Runtime[] {
  return [];
}

export function projectName(env: NodeJS.ProcessEnv = process.env): string {
  return env['COMPOSE_PROJECT_NAME'] ?? 'lastseat';
}
