import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';

import { figureTable, rangeTable, runsInWords, type Column } from './markdown.ts';
import { figureRanges } from './ranges.ts';

// As READMEs call them; ours stand out.
const TITLES: Record<string, string> = {
  queue: '**queue lock**',
  'queue-uncoalesced': '**queue lock**, `coalesce: false`',
  simple: '**simple lock**',
  quorum: '**quorum lock**, three servers',
  redlock: 'redlock 5 beta',
  'redis-semaphore': 'redis-semaphore 5.8',
  'redlock-universal': 'redlock-universal 0.8',
  verrou: '@verrou/core 0.5',
  syncguard: 'syncguard 2.5',
};

const CROWD_COLUMNS: readonly Column[] = [
  { title: '4 × 250: grants/s', what: 'grants/s', at: '4x250' },
  { title: 'p99', what: 'wait p99 ms', at: '4x250' },
  { title: 'Jain', what: 'Jain index', at: '4x250' },
  { title: 'trips each', what: 'round trips', at: '4x250' },
  { title: '4 × 16: grants/s', what: 'grants/s', at: '4x16' },
  { title: 'p99', what: 'wait p99 ms', at: '4x16' },
  { title: '1,000 names: grants/s', what: 'grants/s', at: '1000-names' },
  { title: '1 × 1: grants/s', what: 'grants/s', at: '1x1' },
];

const WAITING_COLUMNS: readonly Column[] = [
  { title: '10,000 waiters: heap bytes each', what: 'heap bytes', at: 'crowd' },
  { title: 'bytes of Redis each', what: 'Redis bytes', at: 'crowd' },
  { title: 'µs from release to grant', what: 'hand-over in one process, µs', at: 'crowd' },
  {
    title: 'between processes, times two bare round trips',
    what: 'hand-over, times two bare round trips',
    at: 'hand-over',
  },
];

/** The blocks about locks, by name. */
export const lockBlocks: Record<string, (runs: readonly RecordedRun[]) => string[]> = {
  runs: runsInWords,
  figures: (runs) => figureTable(figureRanges(runs)),
  crowd: (runs) => rangeTable(runs, '', subjects(Object.keys(TITLES)), CROWD_COLUMNS),
  waiting: (runs) => rangeTable(runs, '', subjects(['queue', 'queue-uncoalesced']), WAITING_COLUMNS),
};

function subjects(contenders: readonly string[]): { title: string; of: string }[] {
  return contenders.map((of) => ({ title: TITLES[of] ?? of, of }));
}
