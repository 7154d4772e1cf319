import { writeFile } from 'node:fs/promises';

import { UserError } from '@lastseat/infra/stack';

import { helpText } from './help.ts';
import { readOptions, type Options } from './options.ts';
import { showProgress } from './progress.ts';
import { jsonReport } from './report/json.ts';
import { paintFor } from './report/paint.ts';
import { crowdInWords, runLine, runTable } from './report/run-table.ts';
import { summary } from './report/summary.ts';
import { lookAgain, run, type Run } from './run.ts';
import { scenarios, type Scenario } from './scenario.ts';
import { findTarget, type Target } from './target.ts';
import { openOracle } from './truth.ts';
import { UsageError } from './usage-error.ts';
import { count } from './words.ts';

// A terminal that nobody has widened, and a README.
const WIDTH = 80;

process.exitCode = await main().catch((error: unknown) => {
  if (error instanceof UsageError) {
    console.error(error.message);
    return 2;
  }
  console.error(error instanceof UserError ? error.message : error);
  return 1;
});

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(helpText());
    return 0;
  }
  const target = await findTarget(options);
  const planned = plan(options, target);
  const speak: (text: string) => void = options.json === '-' ? () => {} : (text) => console.log(text);
  const paint = paintFor(process.stdout);

  await using oracle = await openOracle(target.postgresUrl);
  speak(`${headline(target)}\n`);
  const runs: Run[] = [];
  for (const [index, scenario] of planned.entries()) {
    const what = `${scenario.guard.title}: ${crowdInWords(scenario.crowd)}`;
    using progress = showProgress(what, scenario.crowd.buyers, process.stderr);
    // A reset of the one event that all runs use is the end of what there is to look at.
    const previous = runs.at(-1);
    if (options.eventId !== null && previous) runs.splice(-1, 1, await lookAgain(previous, oracle));
    const done = await run(scenario, { ...options, target, oracle, onProgress: progress.update });
    runs.push(done);
    const many = options.repeat > 1;
    // In a long list only what went wrong is worth a table.
    speak(
      many && done.judgement.good
        ? runLine(done, `${String(index + 1).padStart(4)} of ${planned.length}`, paint)
        : `${runTable(done, `${index + 1} of ${planned.length} · `, paint, WIDTH)}\n`,
    );
  }
  const final: Run[] = [];
  for (const done of runs) final.push(await lookAgain(done, oracle));
  for (const [index, done] of final.entries()) {
    if (done !== runs[index])
      speak(`${runTable(done, `afterwards ${index + 1} of ${planned.length} · `, paint, WIDTH)}\n`);
  }
  speak(`${options.repeat > 1 ? '\n' : ''}${summary(target.url, final, paint)}`);
  await writeJson(options.json, jsonReport(target, final));
  return exitCodeOf(final);
}

function plan(options: Options, target: Target): Scenario[] {
  const guards = options.guards.filter((guard) => {
    const missing = options.allGuards && guard === 'quorum-lock' && !target.hasQuorum;
    if (missing) console.error('quorum-lock is left out: it needs its own Redis servers (make up QUORUM=3)');
    return !missing;
  });
  const once = scenarios({ ...options, guards });
  return Array.from({ length: options.repeat }, () => once).flat();
}

/** What was not shown is no failure, and must not look like a pass to a program either. */
function exitCodeOf(runs: readonly Run[]): number {
  if (runs.some(({ judgement }) => judgement.wrong.length > 0)) return 1;
  return runs.every(({ judgement }) => judgement.good) ? 0 : 3;
}

function headline({ url, replicas, runtime }: Target): string {
  const size = replicas === null ? '' : ` · ${count(replicas, 'replica')}`;
  return `${url}${size}${runtime ? ` · ${runtime}` : ''} · counted in Postgres`;
}

async function writeJson(path: string | null, report: object): Promise<void> {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (path === '-') process.stdout.write(text);
  else if (path !== null) await writeFile(path, text);
}
