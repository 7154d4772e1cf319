import { padEnd } from '@lastseat/lab-frame/box.ts';
import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { count, thousands } from '@lastseat/lab-frame/words.ts';

import type { Run } from '../run.ts';
import { styleOf, verdictOf } from './verdict.ts';

/** The last lines, for whoever reads nothing else: what each guard made of each crowd, and whether all is well. */
export function summary(url: string, runs: readonly Run[], paint: Paint): string {
  const crowds = [...new Set(runs.map(crowdOf))];
  const byGuard = Map.groupBy(runs, (run) => run.scenario.guard.title);
  const guards = [...byGuard].map(([guard, ofGuard]) => {
    const byCrowd = Map.groupBy(ofGuard, crowdOf);
    return line(
      guard,
      crowds.map((crowd) => cell(byCrowd.get(crowd) ?? [], paint)),
    );
  });
  const head = line(
    '',
    crowds.map((crowd) => paint('label', crowd)),
  );
  return [head, ...guards, '', conclusion(runs, paint), paint('label', hint(url, runs))].join('\n');
}

const FIRST_WIDTH = 18;
const CELL_WIDTH = 28;

function line(first: string, cells: readonly string[]): string {
  const padded = [padEnd(first, FIRST_WIDTH), ...cells.map((cell) => padEnd(cell, CELL_WIDTH))];
  return `  ${padded.join('  ').trimEnd()}`;
}

function crowdOf({ scenario }: Run): string {
  return `${count(scenario.crowd.tickets, 'ticket')}, ${count(scenario.crowd.buyers, 'buyer')}`;
}

/** `1 sold  EXACT`, or after twenty times `21 to 35 sold  OVERSOLD x20`. */
function cell(runs: readonly Run[], paint: Paint): string {
  const sold = runs.map(({ tally }) => tally.tickets.confirmed);
  const [least, most] = [Math.min(...sold), Math.max(...sold)];
  const range = least === most ? thousands(most) : `${thousands(least)} to ${thousands(most)}`;
  const verdicts = Map.groupBy(runs.map(verdictOf), ({ word }) => word);
  const words = [...verdicts.values()].map((same) => {
    const [verdict] = same;
    const times = runs.length > 1 ? ` x${same.length}` : '';
    return verdict ? paint(styleOf(verdict), `${verdict.word}${times}`) : '';
  });
  return `${range} sold  ${words.join(' ')}`;
}

function hint(url: string, runs: readonly Run[]): string {
  const striking =
    runs.find(({ judgement }) => !judgement.good) ??
    runs.find(({ tally }) => tally.tickets.oversold > 0) ??
    runs[0];
  return striking ? `Look for yourself: curl ${url}/events/${striking.eventId}` : '';
}

const ALL_OF: Record<number, string> = {
  1: 'The run was as it must be',
  2: 'Both runs were as they must be',
};

function conclusion(runs: readonly Run[], paint: Paint): string {
  const failed = runs.filter(({ judgement }) => judgement.wrong.length > 0).length;
  if (failed > 0) return `${paint('bad', 'FAIL')}  ${failed} of ${count(runs.length, 'run')} went wrong.`;
  const unshown = runs.filter(({ judgement }) => judgement.notShown.length > 0).length;
  if (unshown > 0) {
    return `${paint('strong', 'NOT SHOWN')}  Nothing went wrong, but in ${unshown} of ${count(runs.length, 'run')} there was no contention to stand.`;
  }
  const all = ALL_OF[runs.length] ?? `All ${runs.length} runs were as they must be`;
  return `${paint('good', 'PASS')}  ${all}, counted in Postgres and not taken from the answers.`;
}
