import type { Drill } from '../drills/drill.ts';
import { DRILLS } from '../drills/drills.ts';
import type { Cell } from '../runs/run.ts';

/** The faults that may strike a slice: drills that need nothing but a replica or a server. */
export const FAULTS: readonly Drill[] = DRILLS.filter(
  ({ needs, where = '' }) => needs === undefined && ['replicas', 'redis', 'postgres'].includes(where),
);

export const NO_FAULT = 'none';

export const FAULT_NAMES = [NO_FAULT, ...FAULTS.map(({ name }) => name)];

/** Null where nothing strikes. */
export function faultOf({ fault }: Pick<Cell, 'fault'>): Drill | null {
  return FAULTS.find(({ name }) => name === fault) ?? null;
}

/** As long as the longest of them, and as long again before it and after it together. */
export function windowFor(faults: readonly string[]): number {
  const longest = FAULTS.filter(({ name }) => faults.includes(name)).map(({ lastsMs: [, most] }) => most);
  return 2 * Math.max(0, ...longest);
}
