import type { Paint, Style } from '@lastseat/lab-frame/paint.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { LabRun } from '../run.ts';
import { cellInWords } from '../words.ts';
import type { Change, Ratio } from './changes.ts';

/** For a terminal: a line for each cell. */
export function inWords(
  a: LabRun,
  b: LabRun,
  changes: readonly Change[],
  differences: readonly string[],
  paint: Paint,
): string {
  const rows = changes.map(({ cell, throughput, p99, note }) => {
    const name = `${cell.workload}: ${cellInWords(cell)}`;
    if (note !== null || throughput === null || p99 === null) return [name, note ?? ''];
    return [name, ...ratioInWords(throughput, paint), ...ratioInWords(p99, paint)];
  });
  const [first = '', ...lines] = table(['B / A', 'throughput', '', 'p99', ''], rows);
  const { length: worse } = changes.filter(({ isRegression }) => isRegression);
  return [
    `A  ${a.id}  ${a.circumstances.commit ?? ''}`,
    `B  ${b.id}  ${b.circumstances.commit ?? ''}`,
    ...differences.map((difference) => paint('strong', `They differ in more than their code: ${difference}`)),
    '',
    paint('label', first),
    ...lines,
    '',
    worse > 0 ? paint('bad', `${count(worse, 'cell')} got worse.`) : whatIsGood(changes, paint),
  ].join('\n');
}

function whatIsGood(changes: readonly Change[], paint: Paint): string {
  const isTold = changes.some(({ throughput }) => throughput !== null && throughput.verdict !== 'undecided');
  if (isTold) return paint('good', 'Nothing is worse.');
  return paint('strong', 'Nothing can be told: it takes five slices of a cell in both runs.');
}

const STYLES: Record<Ratio['verdict'], Style> = {
  better: 'good',
  worse: 'bad',
  'no difference': 'label',
  undecided: 'label',
};

function ratioInWords({ ratio, interval, verdict }: Ratio, paint: Paint): string[] {
  const number =
    ratio === null ? '-' : `${ratio.toFixed(2)} (${interval?.map((end) => end.toFixed(2)).join('..')})`;
  return [number, paint(STYLES[verdict], verdict)];
}
