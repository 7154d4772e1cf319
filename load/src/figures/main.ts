import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { readRuns, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';

import { rangeLines } from './range-lines.ts';
import { READMES, upToDate } from './readmes.ts';

const root = new URL('../../../', import.meta.url);

/** Prints what all recorded runs of the benches have in common, and brings the tables of the READMEs up to it. */
for (const bench of ['guards', 'locks'] as const) {
  const lines = rangeLines(bench, readRuns(resultsFile(bench)), paintFor(process.stdout));
  console.log(`${lines.join('\n')}\n`);
}

for (const name of READMES) {
  const path = fileURLToPath(new URL(name, root));
  const text = readFileSync(path, 'utf8');
  const filled = upToDate(text);
  if (filled === text) continue;
  writeFileSync(path, filled);
  console.log(`written: the tables in ${name}`);
}
