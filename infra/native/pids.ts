import { LOG_KEEPER } from './log-keeper.ts';
import { stackDir } from './places.ts';
import { loadState } from './state.ts';

/** The processes of a stack that serve, by the names of its parts: `nginx`, `booking-1`, `redis`, `quorum-1`, `postgres`. */
export function pidsOf(project: string, home?: string): Record<string, number> {
  const parts = loadState(stackDir(project, home))?.parts ?? {};
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, { pid }]) => (name === LOG_KEEPER ? [] : [[name, pid]])),
  );
}
