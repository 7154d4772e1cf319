import { findProblems } from './checks.ts';
import { keepOnly, type Plan } from './plan.ts';
import { play } from './play.ts';

/**
 * Leaves out of a history that fails whatever can be left out: one part after another, faults first, and all of them again
 * for as long as that makes it smaller. (With fewer parts chance falls differently, so that it may fail in another way; any
 * failure will do.)
 */
export async function shrink(plan: Plan): Promise<Plan> {
  let smallest = plan;
  let isSmaller = true;
  while (isSmaller) {
    isSmaller = false;
    for (const id of partsOf(smallest)) {
      const kept = new Set(partsOf(smallest));
      kept.delete(id);
      const candidate = keepOnly(plan, kept);
      if (findProblems(await play(candidate)).length === 0) continue;
      smallest = candidate;
      isSmaller = true;
    }
  }
  return smallest;
}

export function partsOf({ faults, asks }: Plan): string[] {
  return [...faults, ...asks].map(({ id }) => id);
}
