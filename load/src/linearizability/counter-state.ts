import { changeOf, isPossible } from './counter.ts';
import type { Entry } from './timeline.ts';

/** Where a search stands: which operations are open, which of them have happened, and how many tickets are free. */
export interface CounterState {
  open(entry: Entry): void;
  close(entry: Entry): void;
  /** Takes an `open` back. */
  forget(entry: Entry): void;
  /** Takes a `close` back. */
  reopen(entry: Entry): void;
  /** Lets a change happen, and with it whatever observes that the counter has now this value. */
  happen(entry: Entry): void;
  /** How many have happened: what `undo` goes back to. */
  mark(): number;
  undo(mark: number): void;
  hasHappened(entry: Entry): boolean;
  isPossible(entry: Entry): boolean;
  /** Nothing is open. */
  isQuiet(): boolean;
  /** An observer is open that has not seen what it told. */
  isWatched(): boolean;
  /** Of each group the open change that goes first. */
  heads(): Entry[];
  /** Whether an open observer, or one of these, would see what it told if this change happened now. */
  wouldShow(change: Entry, observers?: ReadonlySet<Entry>): boolean;
  /** Whether this change brings the counter nearer to what the observer told. */
  leadsTo(change: Entry, observer: Entry): boolean;
  /** Who of the open has happened: with the position in time, all that a search depends on. */
  key(): string;
}

export function createCounterState(initial: number, entries: readonly Entry[]): CounterState {
  let free = initial;
  let openCount = 0;
  let watching = 0;
  const happened = new Set<Entry>();
  const isOpen = new Set<Entry>();
  const trail: Entry[] = [];
  /** Open changes of each group, in the order of their ends. */
  const groups: Entry[][] = Array.from(
    { length: entries.reduce((most, { group }) => Math.max(most, group), 0) + 1 },
    () => [],
  );
  /** Open observers that have not happened, by what they told. */
  const reads = new Map<number, Set<Entry>>();
  const refusals = new Map<number, Set<Entry>>();
  // 16 to a word: each word is one character of a key.
  const words = new Uint16Array(
    Math.ceil((entries.reduce((most, { slot }) => Math.max(most, slot), 0) + 1) / 16),
  );

  function add(entry: Entry): void {
    openCount += 1;
    isOpen.add(entry);
    if (entry.isObserver) {
      if (!happened.has(entry)) watch(entry);
    } else {
      const group = groups[entry.group] as Entry[];
      const place = group.findLastIndex(({ deadline }) => deadline < entry.deadline) + 1;
      group.splice(place, 0, entry);
    }
    if (happened.has(entry)) flip(entry);
  }

  function remove(entry: Entry): void {
    openCount -= 1;
    isOpen.delete(entry);
    if (entry.isObserver) {
      if (!happened.has(entry)) unwatch(entry);
    } else {
      const group = groups[entry.group] as Entry[];
      group.splice(group.indexOf(entry), 1);
    }
    if (happened.has(entry)) flip(entry);
  }

  function watch(entry: Entry): void {
    const { kind, amount } = entry.operation;
    const of = kind === 'read' ? reads : refusals;
    const watchers = of.get(amount) ?? new Set();
    of.set(amount, watchers.add(entry));
    watching += 1;
  }

  function unwatch(entry: Entry): void {
    const { kind, amount } = entry.operation;
    const of = kind === 'read' ? reads : refusals;
    const watchers = of.get(amount);
    watchers?.delete(entry);
    if (watchers?.size === 0) of.delete(amount);
    watching -= 1;
  }

  function flip({ slot }: Entry): void {
    words[slot >> 4] = (words[slot >> 4] ?? 0) ^ (1 << (slot & 15));
  }

  function record(entry: Entry): void {
    happened.add(entry);
    trail.push(entry);
    flip(entry);
    free += changeOf(entry.operation);
  }

  function show(): void {
    for (const watchers of watchersOf(free)) for (const entry of watchers) see(entry);
  }

  /** Who would see with so many free tickets what it told. */
  function watchersOf(free: number): Set<Entry>[] {
    if (watching === 0) return [];
    const readers = reads.get(free);
    const refused = [...refusals].flatMap(([amount, watchers]) => (free < amount ? [watchers] : []));
    return readers ? [readers, ...refused] : refused;
  }

  function see(entry: Entry): void {
    unwatch(entry);
    record(entry);
  }

  return {
    open(entry) {
      add(entry);
      if (entry.isObserver && isPossible(entry.operation, free)) see(entry);
    },
    close: remove,
    forget: remove,
    reopen: add,
    happen(entry) {
      record(entry);
      show();
    },
    mark: () => trail.length,
    undo(mark) {
      while (trail.length > mark) {
        const entry = trail.pop() as Entry;
        free -= changeOf(entry.operation);
        happened.delete(entry);
        if (!isOpen.has(entry)) continue;
        flip(entry);
        if (entry.isObserver) watch(entry);
      }
    },
    hasHappened: (entry) => happened.has(entry),
    isPossible: ({ operation, after }) =>
      isPossible(operation, free) && (after === null || happened.has(after)),
    isQuiet: () => openCount === 0,
    isWatched: () => watching > 0,
    heads: () =>
      groups.flatMap((group) => {
        const head = group.find((entry) => !happened.has(entry));
        return head ? [head] : [];
      }),
    wouldShow({ operation }, observers) {
      return watchersOf(free + changeOf(operation)).some(
        (watchers) => !observers || !watchers.isDisjointFrom(observers),
      );
    },
    leadsTo(change, { operation }) {
      const { kind, amount } = operation;
      const wanted = kind === 'read' ? amount - free : -1;
      return Math.sign(wanted) === Math.sign(changeOf(change.operation));
    },
    key: () => String.fromCharCode(...words),
  };
}
