import { isObserver, type CounterOperation } from './counter.ts';

/** The starts and ends of a history in the order of time, prepared for a search that goes forth and back over them. */
export interface Timeline {
  steps: Step[];
  entries: Entry[];
}

export interface Step {
  kind: 'start' | 'end';
  entry: Entry;
}

export interface Entry {
  operation: CounterOperation;
  isObserver: boolean;
  /**
   * Operations of one group can stand in for each other: they change the counter alike. Of those that have begun, the
   * one that ends first may always happen first.
   */
  group: number;
  /** Its place among the ends: the smaller of two of a group goes first. */
  deadline: number;
  /** Its place among the starts. */
  opensAt: number;
  /** A small number of its own among all operations that are open at the same time. */
  slot: number;
  after: Entry | null;
}

export function timelineOf(operations: readonly CounterOperation[]): Timeline {
  const groups = new Map<string, number>();
  const followed = new Set(operations.flatMap(({ after }) => (after ? [after] : [])));
  const entryOf = new Map<CounterOperation, Entry>();
  for (const operation of operations) {
    const { kind, amount, after } = operation;
    // Whatever stands in an order with another operation is nobody's equal.
    const isAlone = after !== undefined || followed.has(operation);
    const alike = isAlone ? `alone ${entryOf.size}` : `${kind} ${amount}`;
    if (!groups.has(alike)) groups.set(alike, groups.size);
    entryOf.set(operation, {
      operation,
      isObserver: isObserver(operation),
      group: groups.get(alike) ?? 0,
      deadline: 0,
      opensAt: 0,
      slot: 0,
      after: null,
    });
  }
  const entries = [...entryOf.values()];
  for (const entry of entries) {
    entry.after = (entry.operation.after && entryOf.get(entry.operation.after)) ?? null;
  }
  const steps = entries
    .flatMap((entry): (Step & { atMs: number })[] => [
      { kind: 'start', entry, atMs: entry.operation.startMs },
      { kind: 'end', entry, atMs: entry.operation.endMs },
    ])
    // What ends in the instant in which another begins may have overlapped it: the clock is not finer than that. Of
    // those that nobody saw end, whatever may be missing comes last: nothing waits for it.
    .sort((a, b) => compare(a.atMs, b.atMs) || rank(a) - rank(b));
  numberSlots(steps);
  for (const [index, { kind, entry }] of steps.entries()) {
    if (kind === 'end') entry.deadline = index;
    else entry.opensAt = index;
  }
  return { steps, entries };
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function rank({ kind, entry }: Step): number {
  if (kind === 'start') return 0;
  return entry.operation.mayBeMissing ? 2 : 1;
}

function numberSlots(steps: readonly Step[]): void {
  const free: number[] = [];
  let slots = 0;
  for (const { kind, entry } of steps) {
    if (kind === 'start') entry.slot = free.pop() ?? slots++;
    else free.push(entry.slot);
  }
}
