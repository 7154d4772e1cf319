import { join } from 'node:path';

import type { Operation } from '../history/operation.ts';
import { writeHistory } from '../history/write-history.ts';
import type { Cell, Slice } from '../runs/run.ts';

// Some 400 bytes each: a slice of the fastest guard has ten thousand, and a run has dozens of slices.
const MOST_OPERATIONS = 50_000;

/**
 * Of each cell the history of its first slice, and of every slice that cannot be believed: what convicts it is in there.
 */
export function historyKeeper(folder: () => string) {
  return (cell: Cell, slice: Slice, operations: readonly Operation[]): string | null => {
    const isWorthIt = slice.slice === 1 || (slice.void !== null && slice.slice > 0);
    if (!isWorthIt || operations.length === 0 || operations.length > MOST_OPERATIONS) return null;
    const { strategy, replicas, connections, fault } = cell;
    const load = `${replicas}-replicas-${connections}-connections`;
    const words = ['history', strategy, load, ...(fault === undefined ? [] : [fault]), slice.slice];
    const name = `${words.join('-')}.jsonl`;
    using history = writeHistory(join(folder(), name));
    for (const operation of operations) history.append(operation);
    return name;
  };
}
