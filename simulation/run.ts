import { UsageError } from '@lastseat/infra/command-line';

import { findProblems } from './checks.ts';
import { commandOf, type Options } from './options.ts';
import { keepOnly, type Plan, planOf } from './plan.ts';
import { play } from './play.ts';
import { partsOf, shrink } from './shrink.ts';

/** What was found in many histories. */
export interface Found {
  seed: number;
  histories: number;
  perMinute: number;
  strategies: Record<string, OfStrategy>;
  /** The first history that breaks what its strategy promises. With it the run ends. */
  failure: Failure | null;
}

export interface OfStrategy {
  histories: number;
  /** Those in which something was wrong. */
  broken: number;
  /** How many it took to find the first of them. */
  firstAfter: number | null;
}

export interface Failure {
  seed: number;
  strategy: string;
  problems: string[];
  /** As it was drawn, and what is left of it. */
  parts: number;
  command: string;
  trace: string[];
}

export interface Watch {
  signal: AbortSignal;
  onLine: ((line: string) => void) | undefined;
  /** After each history. */
  onHistory: (done: number) => void;
}

export async function run(options: Options, { signal, onLine, onHistory }: Watch): Promise<Found> {
  const { histories, seed, strategies, faults, only, mistake } = options;
  const startedAtMs = performance.now();
  const found: Found = { seed, histories: 0, perMinute: 0, strategies: {}, failure: null };
  for (let i = 0; i < histories && !signal.aborted && found.failure === null; i += 1) {
    const strategy = strategies[i % strategies.length] as string;
    const whole = planOf(seed + i, strategy, faults);
    // Of a history without its parts nothing would be played, and nothing found.
    const missing =
      histories === 1 ? [...(only ?? [])].find((id) => !partsOf(whole).includes(id)) : undefined;
    if (missing !== undefined)
      throw new UsageError(`ONLY=${missing}: history ${whole.seed} has ${partsOf(whole).join(', ')}`);
    const plan = only === null ? whole : keepOnly(whole, only);
    onLine?.(`history ${plan.seed}, ${strategy}, tickets ${plan.tickets.join(' and ')}`);
    const problems = findProblems(await play(plan, onLine));
    for (const problem of problems) onLine?.(`BROKEN: ${problem}`);

    found.histories += 1;
    const of = (found.strategies[strategy] ??= { histories: 0, broken: 0, firstAfter: null });
    of.histories += 1;
    if (problems.length > 0) {
      of.broken += 1;
      of.firstAfter ??= of.histories;
      if (promises(strategy) || mistake !== null) found.failure = await explain(plan, options);
    }
    found.perMinute = Math.round((found.histories / (performance.now() - startedAtMs)) * 60_000);
    onHistory(found.histories);
  }
  return found;
}

/** Whether it says that it sells nothing twice whatever happens. */
export function promises(strategy: string): boolean {
  return strategy !== 'simple-lock' && strategy !== 'no-lock';
}

async function explain(plan: Plan, options: Options): Promise<Failure> {
  const smallest = await shrink(plan);
  const trace: string[] = [];
  const problems = findProblems(await play(smallest, (line) => trace.push(line)));
  const parts = partsOf(smallest);
  const { seed, strategy } = plan;
  const command = commandOf(options, { seed, strategy, parts });
  return { seed, strategy, problems, parts: partsOf(plan).length, command, trace };
}
