import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { runProgram } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { readRuns, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';

import { rangeLines } from './range-lines.ts';
import { CHARTS, READMES, upToDate } from './readmes.ts';

const root = new URL('../../../', import.meta.url);

await runProgram(main);

/** Prints what all recorded runs of the benches have in common, and brings the tables of the READMEs up to it. */
async function main(): Promise<number> {
  for (const bench of ['guards', 'locks'] as const) {
    const lines = rangeLines(bench, readRuns(resultsFile(bench)), paintFor(process.stdout));
    console.log(`${lines.join('\n')}\n`);
  }
  for (const name of READMES) bringUp(name, 'the tables in', upToDate);
  for (const [name, draw] of Object.entries(CHARTS)) bringUp(name, 'the chart', draw);
  return 0;
}

function bringUp(name: string, what: string, made: (text: string) => string): void {
  const path = fileURLToPath(new URL(name, root));
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const filled = made(text);
  if (filled === text) return;
  writeFileSync(path, filled);
  console.log(`written: ${what} ${name}`);
}
