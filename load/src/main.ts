import { runWithOptions, speakBeside, writeJson } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showProgress } from '@lastseat/lab-frame/progress.ts';

import { HELP } from './help.ts';
import { makeRuns } from './make-runs.ts';
import { readOptions, type Options } from './options.ts';

await runWithOptions({ help: HELP, readOptions }, main);

async function main(options: Options): Promise<number> {
  if (options.dryRun) return 0;
  const { code, report } = await makeRuns(options, {
    paint: paintFor(process.stdout),
    say: speakBeside(options.json),
    note: (text) => console.error(text),
    showProgress: (line) => showProgress(line, process.stderr, { quietMs: 2_000 }),
  });
  await writeJson(options.json, report);
  return code;
}
