import { relative } from 'node:path';

import { refuseUnwritable, runProgram, UsageError, writeJson } from '@lastseat/infra/command-line';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { showProgress } from '@lastseat/lab-frame/progress.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { HELP } from './help.ts';
import { historyOfLastLoad, writeHistory } from './history/write-history.ts';
import { readOptions } from './options.ts';
import { plan } from './plan.ts';
import { jsonReport } from './report/json.ts';
import { crowdInWords, runLine, runTable } from './report/run-table.ts';
import { summary } from './report/summary.ts';
import { lookAgain, run, type Run } from './run.ts';
import { findTarget, refuseSilent, type Target } from './target.ts';
import { openOracle, type Oracle } from './truth.ts';

// A terminal that nobody has widened, and a README.
const WIDTH = 80;

await runProgram(main);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  refuseUnwritable(options.json);
  if (options.dryRun) return 0;
  const target = await findTarget(options);
  const planned = plan(options, target, console.error);
  await refuseSilent(target);
  const speak: (text: string) => void = options.json === '-' ? () => {} : (text) => console.log(text);
  const paint = paintFor(process.stdout);

  const historyPath = options.history ?? historyOfLastLoad(process.env);
  await using oracle = await openOracle(target.postgresUrl);
  await refuseMissingEvent(options.eventId, oracle);
  using history = writeHistory(historyPath);
  speak(`${headline(target)}\n`);
  const runs: Run[] = [];
  for (const [index, scenario] of planned.entries()) {
    const what = `${scenario.guard.title}: ${crowdInWords(scenario.crowd)}`;
    let answered = 0;
    const line = (): string =>
      `${what}: ${thousands(answered)} of ${thousands(scenario.crowd.buyers)} answered`;
    using _progress = showProgress(line, process.stderr, { quietMs: 2_000 });
    // Where all runs use one event, its next reset is the end of what there is to look at.
    if (options.eventId !== null && index > 0) await lookOnceMore(index - 1);
    const done = await run(scenario, {
      ...options,
      target,
      oracle,
      history,
      onAnswer: () => (answered += 1),
    });
    runs.push(done);
    const many = options.repeat > 1;
    // In a long list only what went wrong is worth a table.
    speak(
      many && done.judgement.good
        ? runLine(done, `${String(index + 1).padStart(4)} of ${planned.length}`, paint)
        : `${runTable(done, `${index + 1} of ${planned.length} · `, paint, WIDTH)}\n`,
    );
  }
  for (const index of runs.keys()) await lookOnceMore(index);
  speak(`${options.repeat > 1 ? '\n' : ''}${summary(target.url, runs, paint)}`);
  speak(paint('label', `Every operation: ${relative(process.cwd(), historyPath)}`));
  await writeJson(options.json, jsonReport(target, runs));
  return exitCodeOf(runs);

  async function lookOnceMore(index: number): Promise<void> {
    const [before] = runs.slice(index, index + 1);
    const after = before && (await lookAgain(before, oracle));
    if (!after || after === before) return;
    runs[index] = after;
    speak(`${runTable(after, `${index + 1} of ${planned.length}, afterwards · `, paint, WIDTH)}\n`);
  }
}

async function refuseMissingEvent(eventId: number | null, oracle: Oracle): Promise<void> {
  if (eventId === null || (await oracle.read(eventId)) !== null) return;
  throw new UsageError(`EVENT=${eventId}: there is no such event; without EVENT each run makes its own`);
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
