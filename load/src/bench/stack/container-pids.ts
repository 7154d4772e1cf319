import { execFileSync } from 'node:child_process';

// An engine that answers does so in tenths of a second.
const TIMEOUT_MS = 5_000;

/**
 * The first process of each container by the name of its part, as the engine's own machine sees it. That is this
 * machine on Linux, and a virtual one elsewhere.
 */
export function containerPids(project: string): Record<string, number> {
  const ids = docker('ps', '--quiet', '--filter', `label=com.docker.compose.project=${project}`);
  const lines = docker('inspect', '--format', '{{.Name}} {{.State.Pid}}', ...ids.split('\n').filter(Boolean));
  return Object.fromEntries(
    lines
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [container = '', pid] = line.split(' ');
        // "/lastseat-bench-123-booking-2": project, service and number.
        return [container.slice(`/${project}-`.length), Number(pid)];
      }),
  );
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
