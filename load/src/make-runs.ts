import { relative } from 'node:path';

import { UsageError } from '@lastseat/infra/command-line';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { historyOfLastLoad, writeHistory } from './history/write-history.ts';
import type { Options } from './options.ts';
import { plan } from './plan.ts';
import { jsonReport } from './report/json.ts';
import { crowdInWords, runLine, runTable } from './report/run-table.ts';
import { summary } from './report/summary.ts';
import { lookAgain, run, type Run } from './run.ts';
import { findTarget, refuseSilent, type Target } from './target.ts';
import { openOracle, type Oracle } from './truth.ts';

/** Who listens while runs are made. */
export interface Listener {
  paint: Paint;
  /** What came of each run. */
  say(text: string): void;
  /** What is left out, and why. */
  note(text: string): void;
  /** Where it is, until it is disposed of. */
  showProgress(line: () => string): Disposable;
}

// A terminal that nobody has widened, and a README.
const WIDTH = 80;

/** Makes the runs that were asked for, one after the other. @returns the exit code, and the report for programs */
export async function makeRuns(
  options: Options,
  { paint, say, note, showProgress }: Listener,
): Promise<{ code: number; report: object }> {
  const target = await findTarget(options);
  const planned = plan(options, target, note);
  await refuseSilent(target);

  const historyPath = options.history ?? historyOfLastLoad(process.env);
  await using oracle = await openOracle(target.postgresUrl);
  await refuseMissingEvent(options.eventId, oracle);
  using history = writeHistory(historyPath);
  say(`${headline(target)}\n`);
  const runs: Run[] = [];
  for (const [index, scenario] of planned.entries()) {
    const what = `${scenario.guard.title}: ${crowdInWords(scenario.crowd)}`;
    let answered = 0;
    using _progress = showProgress(
      () => `${what}: ${thousands(answered)} of ${thousands(scenario.crowd.buyers)} answered`,
    );
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
    say(
      many && done.judgement.good
        ? runLine(done, `${String(index + 1).padStart(4)} of ${planned.length}`, paint)
        : `${runTable(done, `${index + 1} of ${planned.length} · `, paint, WIDTH)}\n`,
    );
  }
  for (const index of runs.keys()) await lookOnceMore(index);
  say(`${options.repeat > 1 ? '\n' : ''}${summary(target.url, runs, paint)}`);
  say(paint('label', `Every operation: ${relative(process.cwd(), historyPath)}`));
  return { code: exitCodeOf(runs), report: jsonReport(target, runs) };

  async function lookOnceMore(index: number): Promise<void> {
    const [before] = runs.slice(index, index + 1);
    const after = before && (await lookAgain(before, oracle));
    if (!after || after === before) return;
    runs[index] = after;
    say(`${runTable(after, `${index + 1} of ${planned.length}, afterwards · `, paint, WIDTH)}\n`);
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
