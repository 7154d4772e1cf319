import type { Interval } from '@lastseat/lab-frame/figures/interval.ts';
import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { thousands } from '@lastseat/lab-frame/words.ts';

import { medianRange, type FigureRange } from './ranges.ts';

/** What is measured under one load. */
export interface Column {
  title: string;
  what: string;
  at: string;
}

/** One line for each of those that were measured, with the range of each quantity over all runs. */
export function rangeTable(
  runs: readonly RecordedRun[],
  corner: string,
  subjects: readonly { title: string; of: string }[],
  columns: readonly Column[],
): string[] {
  const rows = subjects.map(({ title, of }) => {
    const ranges = columns.map(({ what, at }) => inWords(medianRange(runs, what, of, at)));
    return { title, ranges };
  });
  const measured = rows.filter(({ ranges }) => ranges.some((range) => range !== ''));
  return table(
    [corner].concat(columns.map(({ title }) => title)),
    measured.map(({ title, ranges }) => [title].concat(ranges)),
  );
}

/** In Markdown: so many columns of text, and numbers to the right of them. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { texts = 1 }: { texts?: number } = {},
): string[] {
  const rule = `|${'---|'.repeat(texts)}${'--:|'.repeat(header.length - texts)}`;
  return [line(header), rule].concat(rows.map(line));
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
}

/** `1,690 to 2,065`, or one number where both read the same. */
export function inWords(range: Interval | null, unit = ''): string {
  if (range === null) return '';
  const [low, high] = range.map(short);
  return `${low === high ? low : `${low} to ${high}`}${unit}`;
}

function short(value: number): string {
  return value >= 100 ? thousands(Number(value.toPrecision(3))) : String(Number(value.toPrecision(3)));
}

export function figureTable(ranges: readonly FigureRange[]): string[] {
  return table(
    ['figure', 'target', 'medians', 'intervals', 'in all runs'],
    ranges.map((range) => [
      range.name,
      `\`${range.target}\``,
      inWords(range.values),
      inWords(range.interval),
      verdictInWords(range),
    ]),
  );
}

/** One word if all runs agree; a figure is reached where they all say `met`. */
function verdictInWords({ runs, verdicts }: FigureRange): string {
  const said = Object.entries(verdicts).filter(([, times]) => times > 0);
  return said
    .map(([verdict, times]) => (times === runs ? verdict : `${verdict} in ${times} of ${runs}`))
    .join(', ');
}

/** How many, when, and on what: without it a range says little. */
export function runsInWords(runs: readonly RecordedRun[]): string[] {
  const days = [...new Set(runs.map(({ startedAt }) => startedAt.slice(0, 10)))].sort();
  const when = days.length > 1 ? `from ${days[0]} to ${days.at(-1)}` : `on ${days[0]}`;
  const machines = new Set(
    runs.map(({ machine, runtime }) => `${machine.cores} cores (${machine.cpu}, ${runtime})`),
  );
  const many = runs.length === 1 ? 'One full run' : `${runs.length} full runs`;
  return [`${many}, ${when}, on ${[...machines].join(' and ')}.`];
}
