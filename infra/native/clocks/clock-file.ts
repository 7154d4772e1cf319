import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Clocks of replicas that can be set: only in runs that ask for them. */

/** With this environment a process has the clock that the file says. */
export function settableClock(file: string): { nodeOptions: string; env: Record<string, string> } {
  const preload = fileURLToPath(new URL('settable-clock.ts', import.meta.url));
  return { nodeOptions: `--import=${preload}`, env: { CLOCK_FILE: file } };
}

export function clockFileOf(dir: string, replica: string): string {
  return join(dir, 'clocks', replica);
}
