import type { BenchName, RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { readRuns, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';

import { scalingChart } from '../scaling/chart.ts';
import { guardBlocks } from './guard-blocks.ts';
import { lockBlocks } from './lock-blocks.ts';
import { fillBlocks } from './readme-blocks.ts';
import { fittedRun, scalingBlocks } from './scaling-blocks.ts';

/** Everything in the repository that quotes figures of the benches, from its root. */
export const READMES = [
  'README.md',
  'services/locking/COMPARISON.md',
  'load/src/bench/README.md',
  'services/locking/bench/README.md',
  'infra/SCALING.md',
];

/** By the first word of their names: of which bench they are made, and by what. */
const BLOCKS: Record<string, Blocks> = {
  guards: { bench: 'guards', blocks: guardBlocks },
  locks: { bench: 'locks', blocks: lockBlocks },
  scaling: { bench: 'guards', blocks: scalingBlocks },
};

interface Blocks {
  bench: BenchName;
  blocks: Record<string, (runs: readonly RecordedRun[]) => string[]>;
}

/** Pictures that are drawn from figures of the benches. */
export const CHARTS: Record<string, () => string> = {
  'infra/scaling.svg': () => {
    const runs = readRuns(resultsFile('guards'));
    return scalingChart(runs, fittedRun(runs));
  },
};

/** The text with all of its blocks as the results files have them. */
export function upToDate(text: string): string {
  return fillBlocks(text, (name) => {
    const [about = '', block = ''] = name.split(' ');
    const { bench, blocks } = BLOCKS[about] ?? {};
    const render = blocks?.[block];
    if (bench === undefined || render === undefined) throw new Error(`no block is called "${name}"`);
    const runs = readRuns(resultsFile(bench));
    return runs.length === 0 ? null : render(runs);
  });
}
