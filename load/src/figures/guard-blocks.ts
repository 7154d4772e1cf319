import { STRATEGY_NAMES } from '@lastseat/booking/contract';
import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';

import { figureTable, inWords, rangeTable, runsInWords, table, type Column } from './markdown.ts';
import { figureRanges, medianRange } from './ranges.ts';

const MAIN_LOAD = '64 connections';

const SPEED_COLUMNS: readonly Column[] = ['8 connections', MAIN_LOAD, '512 connections', '1,000 events'].map(
  (at) => ({ title: at, what: 'bookings/s', at }),
);

const MESSAGE_COLUMNS: readonly Column[] = ['SQL round trips', 'Redis round trips'].map((what) => {
  return { title: what, what, at: MAIN_LOAD };
});

const REPLICA_COLUMNS: readonly Column[] = ['1 replica', '2 replicas', '4 replicas', '8 replicas'].map(
  (at) => ({ title: at, what: 'answers/s by replicas', at }),
);

/** What each guard is for, in the order of the front page: "the same" refers to the line above. */
const USES: Record<string, string> = {
  'batched-update': '**the default**: many buyers at once; no Redis',
  'batched-lock': 'the same, if the decision leaves the database',
  'atomic-update': 'one statement decides: the simplest exact guard',
  'row-lock': 'the decision needs several rows',
  serializable: 'the same; repeats instead of waiting',
  'advisory-lock': 'the same; locks a name, not a row',
  'fenced-lock': 'a payment or a seat map elsewhere takes part',
  'quorum-lock': 'the same, and one Redis may die (`make up QUORUM=3`)',
  optimistic: 'events that are rarely contended',
  'simple-lock': 'teaching: **oversells** after a long pause',
  'no-lock': 'comparison: **oversells**',
};

const ALLOWED = 'bookings/s allowed';

const BOUND_SUBJECTS = [
  { title: 'commits', of: 'commits' },
  { title: 'processors', of: 'CPU' },
];

const BOUND_COLUMNS: readonly Column[] = [{ title: MAIN_LOAD, what: ALLOWED, at: MAIN_LOAD }];

/** The blocks about guards, by name. */
export const guardBlocks: Record<string, (runs: readonly RecordedRun[]) => string[]> = {
  runs: runsInWords,
  choice: choiceTable,
  figures: (runs) => figureTable(figureRanges(runs)),
  speed: (runs) => rangeTable(runs, 'bookings/s', guardsOf(runs, 'bookings/s', MAIN_LOAD), SPEED_COLUMNS),
  bounds: boundLines,
  messages: (runs) =>
    rangeTable(
      runs,
      'for one booking',
      guardsOf(runs, 'SQL round trips', MAIN_LOAD).toReversed(),
      MESSAGE_COLUMNS,
    ),
  replicas: (runs) =>
    rangeTable(runs, 'answers/s', guardsOf(runs, 'answers/s by replicas', '1 replica'), REPLICA_COLUMNS),
};

function choiceTable(runs: readonly RecordedRun[]): string[] {
  const loads = [MAIN_LOAD, '1,000 events'];
  return table(
    ['guard', 'use it for', 'one event', '1,000 events'],
    Object.entries(USES).map(([guard, use]) => {
      const rates = loads.map((at) => inWords(medianRange(runs, 'bookings/s', guard, at)));
      return [`\`${guard}\``, use].concat(rates);
    }),
    { texts: 2 },
  );
}

/** Nothing of runs from before this was measured. */
function boundLines(runs: readonly RecordedRun[]): string[] {
  if (runs.at(-1)?.medians[ALLOWED] === undefined) return [];
  const what =
    'What bounds one hot event at its home: the crowd over two commits, and 0.75 of what the no-op route answers.';
  return [what, '', ...rangeTable(runs, 'bookings/s allowed by', BOUND_SUBJECTS, BOUND_COLUMNS)];
}

/** Those of the newest run, the largest first; what is there for comparison at the top and at the bottom. */
function guardsOf(runs: readonly RecordedRun[], what: string, at: string): { title: string; of: string }[] {
  const measured = Object.keys(runs.at(-1)?.medians[what] ?? {});
  const size = (guard: string): number => medianRange(runs, what, guard, at)?.[1] ?? 0;
  return measured
    .sort((a, b) => rank(a) - rank(b) || size(b) - size(a))
    .map((of) => ({ title: titleOf(of), of }));
}

function rank(guard: string): number {
  if (guard === 'no-op') return -1;
  return guard === 'no-lock' ? 1 : 0;
}

function titleOf(guard: string): string {
  if (guard === 'no-op') return '(no-op route)';
  const strategy = STRATEGY_NAMES.find((name) => guard.split(' ')[0] === name);
  const title = strategy === undefined ? guard : guard.replace(strategy, `\`${strategy}\``);
  return guard === 'no-lock' ? `${title} (oversells)` : title;
}
