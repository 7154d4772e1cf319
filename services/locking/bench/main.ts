import { runWithOptions, UsageError, writeJson } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showSteps } from '@lastseat/lab-frame/progress.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { addRun, assertWritable, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';

import { contenderOf } from './contenders.ts';
import { whyFailed } from './failures.ts';
import { figuresOf } from './figures.ts';
import { help } from './help.ts';
import { jsonReport } from './json-report.ts';
import { startLab, type LabDescription } from './lab.ts';
import { whyVoid } from './measurement.ts';
import { lockMedians } from './medians.ts';
import { isFullRun, readOptions, type Options } from './options.ts';
import { crowdTable, figuresTable, footnotes, workloadTables } from './report.ts';
import { nothing, type Results } from './results.ts';
import { schedule } from './schedule.ts';

await runWithOptions({ help, readOptions }, main);

async function main(options: Options): Promise<number> {
  const recorded = isFullRun(options) ? resultsFile('locks') : null;
  if (recorded !== null) assertWritable(recorded);
  const startedAt = new Date();
  const when = circumstances(startedAt);
  let about: LabDescription;
  const windowFactor = options.quick ? 0.4 : 1;
  const steps = schedule({ ...options, windowFactor });
  if (steps.length === 0) {
    throw new UsageError('ONLY and WORKLOAD leave nothing to measure: name a lock that this workload is for');
  }
  const results = nothing();
  {
    await using lab = await startLab({
      servers: Math.max(...options.contenders.map(({ servers }) => servers)),
      retryDelayMs: options.retryDelayMs,
      windowFactor,
    });
    about = await lab.describe();
    using progress = showSteps(steps, process.stderr);
    for (const step of steps) {
      progress.begin(step);
      await step.measure(lab, results);
    }
  }
  const figures = figuresOf(results);
  if (options.json !== '-') {
    const paint = paintFor(process.stdout);
    const parts = [
      workloadTables(results, options.workloads, options.contenders, paint),
      options.withCrowd ? crowdTable(results, options.contenders, paint) : '',
      footnotes(options.contenders, options.retryDelayMs),
      figuresTable(figures, paint),
    ];
    console.log(parts.filter((part) => part !== '').join('\n\n'));
  }
  await writeJson(options.json, jsonReport(options, results, figures, startedAt));
  if (recorded !== null) {
    const added = addRun(recorded, {
      format: 'lastseat-results/1',
      bench: 'locks',
      ...when,
      ...about,
      void: results.runs.filter(whyVoid).length + results.crowds.filter(whyFailed).length,
      figures,
      medians: lockMedians(results),
    });
    if (options.json !== '-') console.log(`\n${added}`);
  }
  return complainOfBrokenLocks(results);
}

/** A figure that is missed is a result; a lock of ours that let two in at once is a defect. */
function complainOfBrokenLocks({ runs }: Results): number {
  const broken = runs.filter(({ contender, overlaps, tokensNotRising }) => {
    return !contenderOf(contender).isPeer && overlaps + tokensNotRising > 0;
  });
  for (const run of broken) {
    console.error(`${run.contender}, ${run.workload}, section ${run.sectionMs} ms: ${whyVoid(run)}`);
  }
  return broken.length > 0 ? 1 : 0;
}
