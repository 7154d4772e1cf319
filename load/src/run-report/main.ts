import { relative } from 'node:path';

import { runProgram } from '@lastseat/infra/command-line';

import { findRun, runsFolder } from '../runs/store.ts';
import { HELP, readOptions } from './options.ts';
import { writeReport } from './write-report.ts';

await runProgram(main);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const runs = runsFolder(process.env);
  const run = findRun(runs, `RUN=${options.run}`, options.run);
  const others = options.beside.map((name) => findRun(runs, `BESIDE=${name}`, name));
  console.log(relative(process.cwd(), await writeReport(run, others)));
  return 0;
}
