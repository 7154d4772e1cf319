import { relative } from 'node:path';

import { runWithOptions } from '@lastseat/infra/command-line';

import { findRun, runsFolder } from '../runs/store.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { writeReport } from './write-report.ts';

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  const runs = runsFolder(process.env);
  const run = findRun(runs, `RUN=${options.run}`, options.run);
  const others = options.beside.map((name) => findRun(runs, `BESIDE=${name}`, name));
  console.log(relative(process.cwd(), await writeReport(run, others)));
  return 0;
}
