import type { ArenaOptions } from '../faults/arena.ts';
import type { Drill, Need } from './drill.ts';

/** Stacks that only some drills need. None of them is one that people have: they are started for these drills alone. */
interface Kind {
  stack: Partial<ArenaOptions>;
  /** Why there is none in Docker; null where there is. */
  notInDocker: string | null;
}

const KINDS: Record<Need, Kind> = {
  'three-servers': { stack: { ha: true }, notInDocker: null },
  links: { stack: { links: ['redis', 'postgres'] }, notInDocker: 'no proxies stand between containers' },
  clocks: { stack: { clocks: true }, notInDocker: 'containers have the clock of the machine' },
};

export function stackFor(drill: Pick<Drill, 'needs'> | undefined): Partial<ArenaOptions> {
  return drill?.needs === undefined ? {} : KINDS[drill.needs].stack;
}

/** Why it cannot be played there; null where it can. */
export function whyNotIn(
  runtime: 'native' | 'docker',
  drill: Pick<Drill, 'needs'> | undefined,
): string | null {
  if (runtime !== 'docker' || drill?.needs === undefined) return null;
  const { notInDocker } = KINDS[drill.needs];
  return notInDocker && `in Docker ${notInDocker}`;
}
