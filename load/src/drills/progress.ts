import { inWords, showProgress, timeLeftMs, type PlannedStep } from '@lastseat/lab-frame/progress.ts';

import { REPLICAS } from '../faults/arena.ts';
import type { Drill } from './drill.ts';
import { heldAtOnce } from './loads.ts';
import type { Options } from './options.ts';

/** Which drill is played, and how long all that are left will take. */
export interface DrillProgress extends Disposable {
  begin(drill: Drill): void;
  /** The next strike of it, and so many until it is done. */
  strike(left: number): void;
}

// The load before and after, the fault, and what is waited for until nothing can be written any more.
const STRIKE_MS = 13_000;

export function showDrills(
  drills: readonly Drill[],
  options: Pick<Options, 'strategies' | 'runs'>,
  stream: NodeJS.WriteStream,
): DrillProgress {
  const startedAtMs = performance.now();
  const taken: PlannedStep[] = [];
  let [left, begun, strikes]: [PlannedStep[], number, number] = [[], 0, 0];
  const later = () => drills.slice(begun).flatMap((drill) => stepsOf(drill, strikesOf(drill, options)));
  const progress = showProgress(() => {
    const leftMs = timeLeftMs([...taken, ...left, ...later()], taken.length, performance.now() - startedAtMs);
    const name = drills[begun - 1]?.name ?? 'starting';
    return `${begun} of ${drills.length} · ${name}${strikes > 1 ? `, strike ${strikes}` : ''} · ${inWords(leftMs)} left`;
  }, stream);
  return {
    begin(drill) {
      taken.push(...left.slice(0, 1));
      [left, begun, strikes] = [stepsOf(drill, strikesOf(drill, options)), begun + 1, 0];
      progress.show();
    },
    strike(more) {
      if (strikes > 0) taken.push(...left.slice(0, 1));
      const [drill] = drills.slice(begun - 1);
      [left, strikes] = [drill === undefined ? [] : stepsOf(drill, more), strikes + 1];
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}

function stepsOf({ name, expectedMs = STRIKE_MS }: Drill, strikes: number): PlannedStep[] {
  return Array.from({ length: strikes }, () => ({ what: name, expectedMs }));
}

/** How many there will be, until so many runs are done. */
export function strikesOf(
  { holds = false }: Pick<Drill, 'holds'>,
  { strategies, runs }: { strategies: readonly unknown[]; runs: number },
): number {
  // One replica of those that hold them is struck.
  return holds ? Math.ceil(runs / Math.max(1, Math.floor(heldAtOnce(strategies.length) / REPLICAS))) : runs;
}
