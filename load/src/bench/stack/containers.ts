import { execFileSync } from 'node:child_process';

import { partOf } from './cpu-by-part.ts';

// An engine that answers does so in tenths of a second.
const TIMEOUT_MS = 5_000;

/**
 * The first process of each container by the name of its part, as the engine's own machine sees it. That is this
 * machine on Linux, and a virtual one elsewhere.
 */
export function containerPids(project: string): Record<string, number> {
  const lines = inspect(project, '{{.State.Pid}}');
  return Object.fromEntries(lines.map(([name, pid]) => [name, Number(pid)]));
}

/** What each container of a part may use; empty where nothing says so. */
export interface Limits {
  cpus: Record<string, number>;
  memoryMb: Record<string, number>;
}

export function containerLimits(project: string): Limits {
  return limitsOf(inspect(project, '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}'));
}

const BILLION = 1e9;
const MB = 1_048_576;

/** From the name of a container, its billionths of CPUs and its bytes; 0 is no limit. */
export function limitsOf(lines: readonly (readonly string[])[]): Limits {
  const limits: Limits = { cpus: {}, memoryMb: {} };
  for (const [name = '', nanoCpus, bytes] of lines) {
    const part = partOf(name);
    if (Number(nanoCpus) > 0) limits.cpus[part] = Number(nanoCpus) / BILLION;
    if (Number(bytes) > 0) limits.memoryMb[part] = Math.round(Number(bytes) / MB);
  }
  return limits;
}

/** What the containers of replicas call themselves in answers, and what everybody else calls them: `booking-1`. */
export function containerReplicaNames(project: string): Record<string, string> {
  const replicas = inspect(project, '{{.Config.Hostname}}').filter(
    ([name = '']) => partOf(name) === 'replicas',
  );
  return Object.fromEntries(replicas.map(([name, hostname]) => [hostname, name]));
}

/** For each container its part's name and number, and then the words of the format. */
function inspect(project: string, format: string): string[][] {
  const ids = docker('ps', '--quiet', '--filter', `label=com.docker.compose.project=${project}`);
  const lines = docker('inspect', '--format', `{{.Name}} ${format}`, ...ids.split('\n').filter(Boolean));
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [container = '', ...words] = line.split(' ');
      // "/lastseat-bench-123-booking-2": project, service and number.
      return [container.slice(`/${project}-`.length)].concat(words);
    });
}

/** The tag of the image that a part of the stack runs. */
export function containerVersion(project: string, part: string): string | undefined {
  const labels = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${part}`];
  const filters = labels.flatMap((label) => ['--filter', `label=${label}`]);
  return docker('ps', '--format', '{{.Image}}', ...filters)
    .trim()
    .split(':')[1];
}

export function docker(...args: string[]): string {
  return execFileSync('docker', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
  });
}
