import type { Paint, Style } from '../paint.ts';
import { table } from '../table.ts';
import type { Figure, Verdict } from './figure.ts';
import { CONFIDENCE } from './interval.ts';

const STYLES: Record<Verdict, Style> = { met: 'good', missed: 'bad', undecided: 'label' };

/** What is to be reached, a line each, for people. The first line is the header. */
export function figureLines(figures: readonly Figure[], paint: Paint): string[] {
  const header = ['', 'median', `${CONFIDENCE * 100} % interval`, 'slices', 'target', 'verdict'];
  const rows = figures.map(({ name, value, interval, slices, target, verdict }) => [
    name,
    value === null ? 'void' : paint('strong', String(value)),
    interval ? interval.join(' .. ') : '',
    String(slices),
    target,
    paint(STYLES[verdict], verdict),
  ]);
  const [first = '', ...lines] = table(header, rows);
  return [paint('label', first), ...lines];
}
