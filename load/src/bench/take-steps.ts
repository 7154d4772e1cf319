import { nothing, type Measurements } from './measurements.ts';
import type { Options } from './options.ts';
import { compareSteps } from './parts/compare.ts';
import { exactnessSteps } from './parts/exactness.ts';
import { messageSteps } from './parts/messages.ts';
import { rushSteps } from './parts/rush.ts';
import { speedSteps } from './parts/speed.ts';
import { sweepSteps } from './parts/sweep.ts';
import { showProgress } from './progress.ts';
import { untilServing } from './stack/until-serving.ts';
import type { Bench, Field, Step } from './step.ts';

/** All that was asked for, one thing after the other. What changes the stack comes last. */
export async function takeSteps(bench: Bench, field: Field, options: Options): Promise<Measurements> {
  const { pace, parts, only, exactness, comparedSlices } = options;
  const results = nothing();
  const steps: Record<Options['parts'][number], () => Step[]> = {
    speed: () => speedSteps(field, pace, results.cells),
    rush: () => rushSteps(field, pace, results.rushes),
    exactness: () => exactnessSteps(field, exactness, results.exactness),
    messages: () => messageSteps(field, results.messages),
    replicas: () => sweepSteps(field, pace, bench.stack.runtime, results.sweeps),
    compare: () =>
      compareSteps(only ?? [], field.connections, { ...pace, repeats: comparedSlices }, results.comparisons),
  };
  const all = Object.entries(steps).flatMap(([part, plan]) =>
    parts.some((wanted) => wanted === part) ? plan() : [],
  );
  using progress = showProgress(all, process.stderr);
  for (const step of all) {
    bench.signal.throwIfAborted();
    progress.begin(step);
    await untilServing(bench.stack.url, bench.signal);
    await step.run(bench);
  }
  return results;
}
