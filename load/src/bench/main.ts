import { availableParallelism } from 'node:os';

import { refuseUnwritable, runProgram, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { UserError } from '@lastseat/infra/stack';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { addRun, assertWritable, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { offeredStrategies } from '../target.ts';
import { figuresOf } from './figures.ts';
import { startGenerator } from './generator/generator.ts';
import { HELP } from './help.ts';
import { openLedger } from './ledger.ts';
import { benchMedians } from './medians.ts';
import { isFullRun, readOptions, type Options } from './options.ts';
import { jsonReport } from './report/json.ts';
import { reasonsOf, report } from './report/report.ts';
import { serverVersions } from './stack/server-versions.ts';
import { REPLICAS, startUnlessInterrupted, type BenchStack } from './stack/start-stack.ts';
import type { Bench, Field } from './step.ts';
import { refuseEmptyPlan, takeSteps } from './take-steps.ts';

const WIDTH = 80;

await runProgram(main);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  refuseEmptyPlan(options);
  refuseUnwritable(options.json);
  const recorded = isFullRun(options) ? resultsFile('guards') : null;
  if (recorded !== null) assertWritable(recorded);
  const when = circumstances();
  const signal = onInterruption('removing what was started');
  await using resources = new AsyncDisposableStack();
  const stack = resources.use(await startUnlessInterrupted(process.env, signal));
  const bench: Bench = {
    stack,
    target: { ...stack, replicas: REPLICAS, hasQuorum: true },
    ledger: resources.use(await openLedger(stack.postgresUrl)),
    generator: resources.use(await startGenerator(signal)),
    signal,
    resources,
  };
  const field = await chooseField(stack, options);
  const speak = speakBeside(options.json);
  speak(`${headline(stack, options)}\n`);

  const servers = await serverVersions(stack);
  const measurements = await takeSteps(bench, field, options);
  const figures = figuresOf(measurements);
  speak(report(measurements, figures, paintFor(process.stdout), WIDTH));
  await writeJson(options.json, jsonReport(options, stack.runtime, measurements, figures));
  const { length: voids } = reasonsOf(measurements);
  if (recorded !== null) {
    const added = addRun(recorded, {
      format: 'lastseat-results/1',
      bench: 'guards',
      ...when,
      runtime: stack.runtime,
      servers,
      void: voids,
      figures,
      medians: benchMedians(measurements),
    });
    speak(`\n${added}`);
  }
  return voids === 0 ? 0 : 1;
}

/** Asked of the service itself: what it offers is what is measured. */
async function chooseField({ url }: BenchStack, { only, connections }: Options): Promise<Field> {
  const offered = await offeredStrategies(url);
  const missing = only?.filter((name) => !offered.some((strategy) => strategy.name === name)) ?? [];
  if (missing.length > 0) throw new UserError(`the service does not offer ${missing.join(', ')}`);
  const strategies = offered.filter(({ name }) => only === null || only.includes(name));
  return { strategies, connections };
}

function headline({ runtime }: BenchStack, { pace, isQuick }: Options): string {
  const parts = runtime === 'native' ? 'processes' : 'containers';
  const how = `${count(pace.repeats, 'repeat')} of ${pace.windowMs / 1_000} s`;
  const machine = `${count(availableParallelism(), 'core')} for all of it, the load included`;
  const warning = isQuick ? '\nQuick: good for orders of magnitude only.' : '';
  return `${REPLICAS} replicas behind nginx as ${parts} · ${machine} · ${how}, medians${warning}`;
}
