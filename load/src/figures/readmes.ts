import type { BenchName } from '@lastseat/lab-frame/results/recorded-run.ts';
import { readRuns, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';

import { guardBlocks } from './guard-blocks.ts';
import { lockBlocks } from './lock-blocks.ts';
import { fillBlocks } from './readme-blocks.ts';

/** Everything in the repository that quotes figures of the benches, from its root. */
export const READMES = [
  'README.md',
  'services/locking/COMPARISON.md',
  'load/src/bench/README.md',
  'services/locking/bench/README.md',
];

const BLOCKS = { guards: guardBlocks, locks: lockBlocks };

/** The text with all of its blocks as the results files have them. */
export function upToDate(text: string): string {
  return fillBlocks(text, (name) => {
    const [bench = '', block = ''] = name.split(' ');
    const render = BLOCKS[bench as BenchName]?.[block];
    if (render === undefined) throw new Error(`no block is called "${name}"`);
    const runs = readRuns(resultsFile(bench as BenchName));
    return runs.length === 0 ? null : render(runs);
  });
}
