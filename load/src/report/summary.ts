import type { Run } from '../run.ts';
import { count } from '../words.ts';
import type { Paint } from './paint.ts';
import { verdictOf } from './verdict.ts';

/** The last lines: one per guard, and whether all is as it must be. */
export function summary(runs: readonly Run[], paint: Paint): string {
  const good = runs.every((run) => run.judgement.good);
  const byGuard = Map.groupBy(runs, (run) => run.scenario.guard.title);
  const lines = [...byGuard].map(([title, runs]) => `  ${title.padEnd(18)} ${verdicts(runs)}`);
  const failed = runs.filter((run) => !run.judgement.good).length;
  const word = good ? paint('good', 'PASS') : paint('bad', 'FAIL');
  const what = good
    ? `${count(runs.length, 'run')}, each as it must be`
    : `${failed} of ${count(runs.length, 'run')} went wrong`;
  return [...lines, '', `${word}  ${what}. Counted in Postgres, not taken from the answers.`].join('\n');
}

function verdicts(runs: readonly Run[]): string {
  const words = Map.groupBy(runs, (run) => verdictOf(run).word);
  return [...words]
    .map(([word, times]) => `${word.toLowerCase()} in ${times.length} of ${count(runs.length, 'run')}`)
    .join(', ');
}
