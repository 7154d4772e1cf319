import type { StrategyName, StrategyView } from '@lastseat/booking/contract';
import type { PlannedStep } from '@lastseat/lab-frame/progress.ts';

import type { Target } from '../target.ts';
import type { Generator } from './generator/generator.ts';
import type { Ledger } from './ledger.ts';
import type { BenchStack } from './stack/start-stack.ts';

/** Everything that a step works with. */
export interface Bench {
  stack: BenchStack;
  target: Target;
  ledger: Ledger;
  generator: Generator;
  signal: AbortSignal;
  /** What a step leaves open for later ones; closed at the end of the bench, whatever end that is. */
  resources: AsyncDisposableStack;
}

export interface Step extends PlannedStep {
  run(bench: Bench): Promise<void>;
}

/** How long and how often. */
export interface Pace {
  /** How often what the figures compare is measured; everything else in every third repeat. */
  repeats: number;
  warmUpMs: number;
  windowMs: number;
}

/** What is measured, in this order. */
export interface Field {
  strategies: readonly StrategyView[];
  connections: readonly number[];
}

export function has({ strategies }: Field, name: StrategyName): boolean {
  return strategies.some((strategy) => strategy.name === name);
}

/** Numbered from one. In those that are not full, only what the figures compare is measured. */
export function repeatsOf({ repeats }: Pace): { repeat: number; isFull: boolean }[] {
  return Array.from({ length: repeats }, (_, index) => ({ repeat: index + 1, isFull: index % 3 === 0 }));
}

/** Every other repeat in reverse: what wears off or builds up in a repeat favours nobody. */
export function inTurn<T>(things: readonly T[], repeat: number): T[] {
  return repeat % 2 === 1 ? [...things] : things.toReversed();
}
