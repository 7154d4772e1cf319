import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor, type Paint } from '@lastseat/lab-frame/paint.ts';
import { showSteps } from '@lastseat/lab-frame/progress.ts';
import { table } from '@lastseat/lab-frame/table.ts';

import { openArena, type Arena } from '../faults/arena.ts';
import { createRunFolder, runsFolder } from '../runs/store.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { pitfallsPage } from './pitfalls-page.ts';
import { PITFALLS, type Pitfall } from './pitfalls.ts';
import { playPitfall, toldInWords, verdictInWords, type Played } from './played.ts';
import { strategyFile } from './stage.ts';

const INTERRUPTED = 130;

// Whoever waits for a lock that nobody gives back is sent away after this: half as long again as the leases are.
const LEASE_MS = 1_000;
const LOCK_WAIT_MS = 1_500;

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const pitfalls = PITFALLS.filter(({ name }) => options.pitfalls.includes(name));
  const signal = onInterruption('what was found is kept');
  const speak = speakBeside(options.json);
  const paint = paintFor(process.stdout);
  const files = pitfalls.map(({ name }) => strategyFile(name));
  await using arena = await openArena({
    files,
    runtime: options.runtime,
    leaseMs: LEASE_MS,
    lockWaitMs: LOCK_WAIT_MS,
    signal,
  });
  const played = await playAll(arena, pitfalls);

  const folder = createRunFolder(runsFolder(process.env), 'pitfalls', new Date());
  writeFileSync(join(folder, 'pitfalls.json'), `${JSON.stringify(played, null, 1)}\n`);
  const path = join(folder, 'pitfalls.html');
  writeFileSync(path, pitfallsPage(pitfalls, played));
  speak(played.length === 0 ? '' : tableOf(played, paint));
  const wrong = played.filter(({ isAsItMustBe }) => !isAsItMustBe);
  speak(
    wrong.length === 0
      ? `\n${paint('good', 'PASS')}  Each broken one broke, each right one held, counted in Postgres.`
      : `\n${paint('bad', 'FAIL')}  ${wrong.map((one) => `${one.strategy} ${verdictInWords(one).toLowerCase()}`).join('; ')}.`,
  );
  speak(paint('label', `Who did what when: ${relative(process.cwd(), path)}`));
  await writeJson(options.json, { folder, played });
  if (signal.aborted) return INTERRUPTED;
  return wrong.length === 0 ? 0 : 1;
}

async function playAll(arena: Arena, pitfalls: readonly Pitfall[]): Promise<Played[]> {
  const steps = pitfalls.flatMap((pitfall) =>
    (['broken', 'right'] as const).map((variant) => ({
      pitfall,
      variant,
      what: `${pitfall.title}: ${variant}`,
      expectedMs: 2_500,
    })),
  );
  using progress = showSteps(steps, process.stderr);
  const played: Played[] = [];
  for (const step of steps) {
    if (arena.signal.aborted) break;
    progress.begin(step);
    played.push(await playPitfall(arena, step.pitfall, step.variant));
  }
  return played;
}

function tableOf(played: readonly Played[], paint: Paint): string {
  const rows = played.map((one) => [
    one.variant === 'broken' ? one.pitfall : '',
    one.variant,
    String(one.race.tickets),
    String(one.sold),
    String(one.available),
    paint(one.isAsItMustBe ? (one.variant === 'right' ? 'good' : 'strong') : 'bad', verdictInWords(one)),
  ]);
  const [first = '', ...lines] = table(['', '', 'tickets', 'sold', 'counter says left', 'verdict'], rows);
  const told = played.map((one, index) => `${lines[index]}   ${toldInWords(one)}`);
  return [paint('label', first), ...told].join('\n');
}
