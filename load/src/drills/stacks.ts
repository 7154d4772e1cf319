import type { ArenaOptions } from '../faults/arena.ts';
import type { Drill, Need } from './drill.ts';

/** Stacks that only some drills need. None of them is one that people have: they are started for these drills alone. */
const STACKS: Record<Need, Partial<ArenaOptions>> = {
  'three-servers': { ha: true },
  links: { links: ['redis', 'postgres'] },
  clocks: { clocks: true },
};

export function stackFor(drill: Pick<Drill, 'needs'> | undefined): Partial<ArenaOptions> {
  return drill?.needs === undefined ? {} : STACKS[drill.needs];
}
