import { changeOf, isObserver, type CounterOperation } from './counter.ts';
import type { Step } from './timeline.ts';

/**
 * Finds in one pass what no order can explain: at any moment at least those operations have happened that have ended,
 * and at most those that have begun, which keeps the number of free tickets between two bounds. Most false answers lie
 * outside of them for as long as they took; the search would have to try every order to say so.
 */
export function findImpossible(initial: number, steps: readonly Step[]): CounterOperation | null {
  let least = initial;
  let most = initial;
  // Open and not yet seen possible.
  const doubtful = new Set<CounterOperation>();
  const settle = (): void => {
    for (const operation of doubtful) {
      if (isWithin(operation, Math.max(0, least), most)) doubtful.delete(operation);
    }
  };
  for (const { kind, entry } of steps) {
    const { operation } = entry;
    const change = changeOf(operation);
    if (kind === 'start') {
      if (change < 0) least += change;
      if (change > 0) most += change;
      if (change < 0 || isObserver(operation)) doubtful.add(operation);
    } else {
      if (operation.mayBeMissing) continue;
      if (doubtful.has(operation)) return operation;
      if (change < 0) most += change;
      if (change > 0) least += change;
      if (most < 0) return operation;
    }
    if (doubtful.size > 0) settle();
  }
  return null;
}

function isWithin({ kind, amount }: CounterOperation, least: number, most: number): boolean {
  if (kind === 'take') return most >= amount;
  if (kind === 'refuse') return least < amount;
  return least <= amount && amount <= most;
}
