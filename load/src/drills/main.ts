import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { runWithOptions, speakBeside, UserError, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { chooseRuntime } from '../bench/stack/start-stack.ts';
import { LEASE_MS, openArena, REPLICAS } from '../faults/arena.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import type { Cell } from './cell.ts';
import type { Drill } from './drill.ts';
import { DRILLS } from './drills.ts';
import { playMistakes } from './mistakes/play-mistakes.ts';
import { commandOf, HELP, readOptions, type Options } from './options.ts';
import { playCells } from './play-cells.ts';
import { showDrills } from './progress.ts';
import { conclusion, drillTable, matrixOf } from './report.ts';
import { stackFor } from './stacks.ts';

const OPEN = 3;
const INTERRUPTED = 130;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const speak = speakBeside(options.json);
  if (options.mistakes.length > 0) return playMistakes(options, speak);
  const when = circumstances();
  const signal = onInterruption('what is struck is mended, and what was found is kept');
  const paint = paintFor(process.stdout);
  const hasQuorum = options.strategies.includes('quorum-lock');
  const folder = createRunFolder(runsFolder(process.env), 'drill', new Date());
  const drills = DRILLS.filter(({ name }) => options.drills.includes(name));
  const runtime = chooseRuntime({ ...process.env, ...(options.runtime && { RUNTIME: options.runtime }) });
  const cells: Cell[] = [];
  const found = () => ({
    command: commandOf(options),
    seed: options.seed,
    circumstances: when,
    runtime,
    isComplete: cells.length === drills.length * options.strategies.length,
    cells,
  });
  // Each kind of stack in turn: those that only some drills need are none that people have.
  const groups = [...Map.groupBy(drills, ({ needs }) => needs).values()];
  const progress = showDrills(groups.flat(), options, process.stderr);

  async function play(group: readonly Drill[]): Promise<void> {
    const stack = stackFor(group[0]);
    await using arena = await openArena({ ...stack, runtime, hasQuorum, signal });
    for (const drill of group) {
      if (signal.aborted) break;
      progress.begin(drill);
      const ofDrill = await playCells(arena, drill, options, folder, (left) => progress.strike(left));
      cells.push(...ofDrill);
      writeFileSync(join(folder, 'drill.json'), `${JSON.stringify(found(), null, 1)}\n`);
      if (ofDrill.length > 0) speak(`\n${drillTable(drill, ofDrill, paint)}`);
    }
  }

  speak(headline(options, runtime));
  let isEnded = false;
  for (const group of groups) {
    if (signal.aborted) break;
    // A stack that cannot be started here, or ends, keeps nobody from playing on the others.
    const whyNot = await play(group).then(() => null, unlessBug);
    if (signal.aborted) break;
    if (whyNot === null) continue;
    isEnded = true;
    const missing = group.filter(({ name }) => !cells.some(({ drill }) => drill === name));
    speak(`\nNot played: ${missing.map(({ name }) => name).join(', ')}: ${whyNot}`);
  }
  progress[Symbol.dispose]();
  if (options.isMatrix) speak(`\n${matrixOf(cells, paint)}`);
  speak(`\n${conclusion(cells, paint)}`);
  speak(paint('label', `Kept: ${relative(process.cwd(), folder)}; repeat it: ${commandOf(options)}`));
  await writeJson(options.json, { folder, ...found() });
  if (signal.aborted) return INTERRUPTED;
  if (cells.some(({ verdict }) => verdict === 'broke')) return 1;
  const isOpen = cells.some(({ verdict, below }) => verdict === 'not shown' || below.length > 0);
  return isOpen || isEnded || cells.length === 0 ? OPEN : 0;
}

/** What its user can mend, as one line, or that there was no time for it any more. */
function unlessBug(error: unknown): string {
  if (error instanceof UserError || (error instanceof Error && error.name === 'AbortError'))
    return error.message;
  throw error;
}

function headline({ strategies, seed }: Options, runtime: string): string {
  return (
    `${strategies.join(', ')} · ${count(REPLICAS, 'replica')} behind nginx, ${runtime} · ` +
    `leases of ${LEASE_MS / 1_000} s · seed ${seed}`
  );
}
