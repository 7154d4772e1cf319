import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { refuseUnwritable, runProgram, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showSteps } from '@lastseat/lab-frame/progress.ts';
import { circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { LEASE_MS, openArena, REPLICAS } from '../faults/arena.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import type { Cell } from './cell.ts';
import { DRILLS } from './drills.ts';
import { commandOf, HELP, readOptions, type Options } from './options.ts';
import { playCells } from './play-cells.ts';
import { conclusion, drillTable, matrixOf } from './report.ts';

const OPEN = 3;
const INTERRUPTED = 130;

// The load before and after, the fault, and what is waited for until nothing can be written any more.
const EXPECTED_MS = 20_000;

/** From each replica to each server. */
const LINKS = ['redis', 'postgres'] as const;

await runProgram(main);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  refuseUnwritable(options.json);
  const when = circumstances();
  const signal = onInterruption('what is struck is mended, and what was found is kept');
  const speak: (text: string) => void = options.json === '-' ? () => {} : (text) => console.log(text);
  const paint = paintFor(process.stdout);
  const hasQuorum = options.strategies.includes('quorum-lock');
  const folder = createRunFolder(runsFolder(process.env), 'drill', new Date());
  const drills = DRILLS.filter(({ name }) => options.drills.includes(name));
  const steps = drills.map((drill) => ({ drill, what: drill.name, expectedMs: EXPECTED_MS }));
  let runtime: string | undefined;
  const cells: Cell[] = [];
  const found = () => ({
    command: commandOf(options),
    seed: options.seed,
    circumstances: when,
    runtime,
    isComplete: cells.length === drills.length * options.strategies.length,
    cells,
  });
  // Each kind of stack in turn: one with proxies in it is none that people have.
  for (const [needs, group] of Map.groupBy(steps, ({ drill }) => drill.needs)) {
    if (signal.aborted) break;
    if (needs === 'links' && runtime === 'docker') {
      speak(`\nNot played in Docker, where no proxies stand: ${group.map(({ what }) => what).join(', ')}`);
      continue;
    }
    const links = needs === 'links' ? LINKS : [];
    await using arena = await openArena({ runtime: options.runtime, hasQuorum, links, signal });
    if (runtime === undefined) speak(headline(options, arena.stack.runtime));
    runtime = arena.stack.runtime;
    using progress = showSteps(group, process.stderr);
    for (const step of group) {
      if (signal.aborted) break;
      progress.begin(step);
      const ofDrill = await playCells(arena, step.drill, options, folder);
      cells.push(...ofDrill);
      writeFileSync(join(folder, 'drill.json'), `${JSON.stringify(found(), null, 1)}\n`);
      if (ofDrill.length > 0) speak(`\n${drillTable(step.drill, ofDrill, paint)}`);
    }
  }
  if (options.isMatrix) speak(`\n${matrixOf(cells, paint)}`);
  speak(`\n${conclusion(cells, paint)}`);
  speak(paint('label', `Kept: ${relative(process.cwd(), folder)}; repeat it: ${commandOf(options)}`));
  await writeJson(options.json, { folder, ...found() });
  if (signal.aborted) return INTERRUPTED;
  if (cells.some(({ verdict }) => verdict === 'broke')) return 1;
  return cells.some(({ verdict, below }) => verdict === 'not shown' || below.length > 0) ? OPEN : 0;
}

function headline({ strategies, seed }: Options, runtime: string): string {
  return (
    `${strategies.join(', ')} · ${count(REPLICAS, 'replica')} behind nginx, ${runtime} · ` +
    `leases of ${LEASE_MS / 1_000} s · seed ${seed}`
  );
}
