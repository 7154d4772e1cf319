import { refuseUnwritable, runProgram, writeJson } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showProgress } from '@lastseat/lab-frame/progress.ts';

import { HELP } from './help.ts';
import { makeRuns } from './make-runs.ts';
import { readOptions } from './options.ts';

await runProgram(main);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  refuseUnwritable(options.json);
  if (options.dryRun) return 0;
  const { code, report } = await makeRuns(options, {
    paint: paintFor(process.stdout),
    say: options.json === '-' ? () => {} : (text) => console.log(text),
    note: (text) => console.error(text),
    showProgress: (line) => showProgress(line, process.stderr, { quietMs: 2_000 }),
  });
  await writeJson(options.json, report);
  return code;
}
