import { cpuSecondsOfTrees } from '../cpu.ts';
import type { Part } from '../measurements.ts';

/** The parts that are the stack's own. */
export type StackPart = Exclude<Part, 'harness'>;

/** What the processes of each part, and all that descend from them, have used so far; null where it cannot be read. */
export function cpuByPart(pids: Record<string, number>): Record<StackPart, number> | null {
  const roots = Map.groupBy(Object.entries(pids), ([name]) => partOf(name));
  const seconds = [...roots].map(
    ([part, entries]) => [part, cpuSecondsOfTrees(entries.map(([, pid]) => pid))] as const,
  );
  // Whatever serves has used some; a process that is nowhere to be found lives on another machine.
  if (seconds.some(([, used]) => used === null || used === 0)) return null;
  return Object.fromEntries(seconds) as Record<StackPart, number>;
}

/** `nginx`, `nginx-1`, `booking-2`, `redis`, `quorum-3`, ... */
export function partOf(name: string): StackPart {
  if (name.startsWith('nginx')) return 'nginx';
  if (name.startsWith('postgres')) return 'postgres';
  return name.startsWith('booking') ? 'replicas' : 'redis';
}
