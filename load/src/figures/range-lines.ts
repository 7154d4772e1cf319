import type { Paint } from '@lastseat/lab-frame/paint.ts';
import type { BenchName, RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import { inWords, runsInWords } from './markdown.ts';
import { figureRanges } from './ranges.ts';

/** The figures over all runs, for a terminal. */
export function rangeLines(bench: BenchName, runs: readonly RecordedRun[], paint: Paint): string[] {
  if (runs.length === 0)
    return [paint('strong', bench), `no full run is recorded yet: make ${COMMANDS[bench]}`];
  const header = ['', 'medians', 'intervals', 'target', 'met', 'undecided', 'missed', 'of'];
  const rows = figureRanges(runs).map(({ name, target, values, interval, verdicts, runs }) => [
    name,
    inWords(values),
    inWords(interval),
    target,
    paint(verdicts.met === runs ? 'good' : 'label', String(verdicts.met)),
    paint('label', String(verdicts.undecided)),
    paint(verdicts.missed > 0 ? 'bad' : 'label', String(verdicts.missed)),
    count(runs, 'run'),
  ]);
  const [first = '', ...lines] = table(header, rows);
  return [paint('strong', bench), ...runsInWords(runs), paint('label', first), ...lines];
}

const COMMANDS: Record<BenchName, string> = { guards: 'bench', locks: 'bench-lock' };
