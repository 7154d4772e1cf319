import { sum } from '@lastseat/lab-frame/statistics.ts';
import { agree, count } from '@lastseat/lab-frame/words.ts';

import { verdictOfCell, type CellVerdict } from './rate.ts';
import type { Cell, LabRun } from './run.ts';

/** The same words for the terminal, the page and the pull request. */

export function cellInWords(cell: Pick<Cell, 'strategy' | 'replicas' | 'connections' | 'fault'>): string {
  return `${cell.strategy}, ${loadInWords(cell)}`;
}

export function loadInWords({ replicas, ...load }: Pick<Cell, 'replicas' | 'connections' | 'fault'>): string {
  return `${count(replicas, 'replica')}, ${pressureInWords(load)}`;
}

/** What stands in one table: only guards and replicas differ. */
export function pressureInWords({ connections, fault }: Pick<Cell, 'connections' | 'fault'>): string {
  return `${count(connections, 'connection')}${fault === undefined ? '' : `, beside ${fault}`}`;
}

/** Of cells in their order, those of each number of connections and each fault. */
export function byPressure<T extends Pick<Cell, 'connections' | 'fault'>>(
  cells: readonly T[],
): [T, ...T[]][] {
  return [...Map.groupBy(cells, pressureInWords).values()] as [T, ...T[]][];
}

/** Of a cell without a rate, in its place. */
export function brokenInWords(cell: Pick<Cell, 'slices' | 'sells'>): string {
  const verdict = verdictOfCell(cell);
  if (verdict !== 'broke as it says') return verdict;
  const oversold = sum(cell.slices.map(({ strike }) => strike?.oversold ?? 0));
  return oversold > 0 ? `oversold ${oversold}` : verdict;
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
  const broke = countOf(guarded, 'broke as it says');
  const failed = countOf(cells, 'failed');
  const notShown = countOf(cells, 'not shown');
  const parts = [
    guarded.length > 0 ? `exact in ${countOf(guarded, 'exact')} of ${guarded.length} guarded cells` : '',
    unguarded.length > 0
      ? `oversold in ${countOf(unguarded, 'oversold')} of ${unguarded.length} cells without a guard, as it must`
      : '',
    broke > 0
      ? `broke in ${broke} beside a fault, as ${agree(broke, 'its guard says', 'their guards say')}`
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
