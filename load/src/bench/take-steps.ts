import { STRATEGY_NAMES, type StrategyName, type StrategyView } from '@lastseat/booking/contract';
import { UsageError } from '@lastseat/infra/command-line';
import { showSteps } from '@lastseat/lab-frame/progress.ts';

import { nothing, type Measurements } from './measurements.ts';
import type { Options } from './options.ts';
import { compareSteps } from './parts/compare.ts';
import { exactnessSteps } from './parts/exactness.ts';
import { messageSteps } from './parts/messages.ts';
import { rushSteps } from './parts/rush.ts';
import { speedSteps } from './parts/speed.ts';
import { sweepSteps } from './parts/sweep.ts';
import type { BenchStack } from './stack/start-stack.ts';
import { untilServing } from './stack/until-serving.ts';
import type { Bench, Field, Step } from './step.ts';

/** All that was asked for, one thing after the other. */
export async function takeSteps(bench: Bench, field: Field, options: Options): Promise<Measurements> {
  const results = nothing();
  const all = planSteps(field, options, bench.stack.runtime, results);
  using progress = showSteps(all, process.stderr);
  for (const step of all) {
    bench.signal.throwIfAborted();
    progress.begin(step);
    await untilServing(bench.stack.url, bench.signal);
    await step.run(bench);
  }
  return results;
}

/** Before anything is started: what is asked for may name a part and leave out the guard that it is about. */
export function refuseEmptyPlan(options: Options): void {
  const strategies = STRATEGY_NAMES.filter((name) => options.only === null || options.only.includes(name));
  const field = { strategies: strategies.map(asOffered), connections: options.connections };
  if (planSteps(field, options, 'native', nothing()).length > 0) return;
  throw new UsageError(
    `PARTS=${options.parts.join(',')} measures nothing of ONLY=${strategies.join(',')} at ` +
      `CONNECTIONS=${options.connections.join(',')}: leave one of them away`,
  );
}

function asOffered(name: StrategyName): StrategyView {
  const words = { guardsWith: '', breaksWhen: '', costs: '', holdsBeside: [] };
  return { name, guarantee: 'always', ...words, isDefault: false, available: true, retries: 0 };
}

/** What changes the stack comes last. */
function planSteps(
  field: Field,
  options: Options,
  runtime: BenchStack['runtime'],
  results: Measurements,
): Step[] {
  const { pace, parts, only, exactness, comparedSlices } = options;
  const steps: Record<Options['parts'][number], () => Step[]> = {
    speed: () => speedSteps(field, pace, results),
    rush: () => rushSteps(field, pace, results.rushes),
    exactness: () => exactnessSteps(field, exactness, results.exactness),
    messages: () => messageSteps(field, results.messages),
    replicas: () => sweepSteps(field, pace, runtime, results.sweeps),
    compare: () =>
      compareSteps(only ?? [], field.connections, { ...pace, repeats: comparedSlices }, results.comparisons),
  };
  return Object.entries(steps).flatMap(([part, plan]) =>
    parts.some((wanted) => wanted === part) ? plan() : [],
  );
}
