import { count } from '@lastseat/lab-frame/words.ts';

import { verdictOfCell, type CellVerdict } from './rate.ts';
import type { Cell, LabRun } from './run.ts';

/** The same words for the terminal, the page and the pull request. */

export function cellInWords(cell: Pick<Cell, 'strategy' | 'replicas' | 'connections'>): string {
  return `${cell.strategy}, ${loadInWords(cell)}`;
}

export function loadInWords({ replicas, connections }: Pick<Cell, 'replicas' | 'connections'>): string {
  return `${count(replicas, 'replica')}, ${count(connections, 'connection')}`;
}

/** A replica that has answered, under the name that one would pause or kill it by. */
export function replicaInWords(
  { replicaNames = {} }: Pick<LabRun, 'replicaNames'>,
  instance: string,
): string {
  // Or this, a hyphen and the number of its process.
  const known = Object.keys(replicaNames).find((own) => instance === own || instance.startsWith(`${own}-`));
  return known === undefined ? instance : (replicaNames[known] ?? instance);
}

/** What all cells together come to: in one word, and in one sentence. */
export interface RunVerdict {
  /** `bad`: one failed a check. `open`: none did, and one shows nothing, or the run was interrupted. */
  sign: 'good' | 'bad' | 'open';
  sentence: string;
}

export function verdictOfRun({ cells, isComplete }: LabRun): RunVerdict {
  const guards = cells.filter(({ strategy }) => strategy !== 'no-op');
  const guarded = guards.filter(({ sells }) => sells === 'exactly');
  const unguarded = guards.filter(({ sells }) => sells === 'too many');
  const failed = countOf(cells, 'failed');
  const notShown = countOf(cells, 'not shown');
  const parts = [
    guarded.length > 0 ? `exact in ${countOf(guarded, 'exact')} of ${guarded.length} guarded cells` : '',
    unguarded.length > 0
      ? `oversold in ${countOf(unguarded, 'oversold')} of ${unguarded.length} cells without a guard, as it must`
      : '',
    failed > 0 ? `failed in ${failed}` : '',
    notShown > 0 ? `not shown in ${notShown}` : '',
    isComplete ? '' : 'interrupted before its end',
  ].filter(Boolean);
  const sign = failed > 0 ? 'bad' : notShown > 0 || !isComplete ? 'open' : 'good';
  return { sign, sentence: parts.join(' · ') || 'nothing was measured' };
}

function countOf(cells: readonly Cell[], verdict: CellVerdict): number {
  return cells.filter((cell) => verdictOfCell(cell) === verdict).length;
}
