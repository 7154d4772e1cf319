import { availableParallelism } from 'node:os';
import { basename, relative } from 'node:path';

import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showSteps } from '@lastseat/lab-frame/progress.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { serverVersions } from '../bench/stack/server-versions.ts';
import { keepRace } from '../race/keep-race.ts';
import { harnessInWords } from '../run-report/generator-section.ts';
import { writeReport } from '../run-report/write-report.ts';
import type { LabRun, LabSettings } from '../runs/run.ts';
import { createRunFolder, runsFolder, writeRun } from '../runs/store.ts';
import { cellInWords, verdictOfRun } from '../runs/words.ts';
import { historyKeeper } from './keep-history.ts';
import { slicesOf, type PlannedSlice } from './matrix.ts';
import { commandOf, HELP, readOptions, type Options } from './options.ts';
import { startLab } from './start-lab.ts';
import { conclusion, labTables } from './tables.ts';

/** `open` as `make load` says of what shows nothing, though nothing is wrong. */
const EXIT_CODES = { good: 0, bad: 1, open: 3 };

/** As a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

// Beside its window: until the first slices are done, and then they tell themselves.
const EXPECTED_MS = 1_500;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const { settings } = options;
  const when = circumstances();
  const signal = onInterruption('what is done is kept');
  const speak = speakBeside(options.json);
  const paint = paintFor(process.stdout);

  let folder = '';
  await using lab = await startLab(
    options,
    signal,
    historyKeeper(() => folder),
  );
  speak(`${headline(options, lab.stack.runtime)}\n`);
  folder = createRunFolder(runsFolder(process.env), options.name, new Date());
  const run: LabRun = {
    format: 'lastseat-run/1',
    id: basename(folder),
    name: options.name,
    command: commandOf(options),
    circumstances: when,
    endedAt: '',
    isComplete: false,
    settings,
    runtime: lab.stack.runtime,
    servers: await serverVersions(lab.stack),
    limits: lab.stack.limits.cpus,
    memoryLimitsMb: lab.stack.limits.memoryMb,
    replicaNames: lab.replicaNames,
    cells: lab.cells,
  };
  await measureAll([...lab.rehearse(), ...lab.planned], expectedMsOf(settings), signal, async (planned) => {
    await lab.measure(planned);
    run.endedAt = new Date().toISOString();
    writeRun(folder, run);
  });
  if (!signal.aborted) run.roundTrips = await lab.countRoundTrips();
  run.isComplete = lab.cells.every((cell) => cell.slices.length === slicesOf(cell, settings.slices));
  run.endedAt = new Date().toISOString();
  writeRun(folder, run);

  speak(labTables(run, paint));
  const harness = harnessInWords(run);
  if (harness !== '') speak(`\n${paint('label', harness)}`);
  speak(`\n${conclusion(run, paint)}`);
  for (const race of await lab.recordRaces()) keepRace(folder, race);
  const page = await writeReport({ folder, run });
  speak(paint('label', `Look at it: ${relative(process.cwd(), page)}; repeat it: ${run.command}`));
  await writeJson(options.json, run);
  if (!run.isComplete) return INTERRUPTED;
  return EXIT_CODES[verdictOfRun(run).sign];
}

/** One after the other until all are done or somebody interrupts: of the one that is under way then nothing is kept. */
async function measureAll(
  planned: readonly PlannedSlice[],
  expectedMs: number,
  signal: AbortSignal,
  measure: (planned: PlannedSlice) => Promise<void>,
): Promise<void> {
  const steps = planned.map((planned) => {
    const { cell, slice } = planned;
    const what = `${cellInWords(cell)}${slice === 0 ? ': rehearsal' : `, slice ${slice}`}`;
    return { planned, what, expectedMs };
  });
  using progress = showSteps(steps, process.stderr);
  for (const step of steps) {
    if (signal.aborted) return;
    progress.begin(step);
    await measure(step.planned);
  }
}

function expectedMsOf({ windowMs }: LabSettings): number {
  return EXPECTED_MS + windowMs;
}

function headline({ settings }: Options, runtime: LabRun['runtime']): string {
  const { workload, replicas, strategies, connections, slices, faults } = settings;
  const parts = runtime === 'native' ? 'processes' : 'containers';
  const cores = `${count(availableParallelism(), 'core')} for all of it, the load included`;
  return (
    `${workload} · ${strategies.join(', ')} · ${inWords(replicas, 'replica')} · ` +
    `${inWords(connections, 'connection')} · ${faults ? `faults ${faults.join(', ')} · ` : ''}` +
    `${count(slices, 'slice')} each\nas ${parts} · ${cores}`
  );
}

function inWords(numbers: readonly number[], noun: string): string {
  const isOne = numbers.length === 1 && numbers[0] === 1;
  return `${numbers.join(', ')} ${noun}${isOne ? '' : 's'}`;
}
