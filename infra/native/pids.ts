import { stackDir } from './places.ts';
import { loadState } from './state.ts';

/** The processes of a stack by the names of its parts: `nginx`, `booking-1`, `redis`, `quorum-1`, `postgres`. */
export function pidsOf(project: string, home?: string): Record<string, number> {
  const parts = loadState(stackDir(project, home))?.parts ?? {};
  return Object.fromEntries(Object.entries(parts).map(([name, { pid }]) => [name, pid]));
}
