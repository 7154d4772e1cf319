import { findImpossible } from './bounds.ts';
import { createCounterState } from './counter-state.ts';
import type { CounterOperation } from './counter.ts';
import { timelineOf, type Entry, type Step } from './timeline.ts';

/**
 * Is there an order of all operations, each at one moment between its start and its end, in which a counter alone
 * would have given every answer? (Herlihy and Wing's linearizability.)
 *
 * The search is the one of Wing and Gong with the memory of Lowe: it goes through starts and ends in the order of
 * time, and lets an operation happen at the last moment: when it ends, or when another needs it to have happened. What
 * led nowhere is remembered by who has happened among the operations that are open, and not tried again; the number
 * of free tickets follows from that. Three rules that need no trying keep it short:
 *
 * - What only observes (a read, a refusal) changes nothing: it happens at once where it is possible.
 * - Of operations that change the counter alike, the one that ends first goes first: they could change places.
 * - Another change goes before the one that must happen now only if some observer sees the difference, or if the one
 *   that must happen is not possible without it: else it can as well go behind.
 *
 * It is exact, and has a limit of time: then it says that it has not decided.
 */
export type Linearizability =
  | { verdict: 'linearizable'; orders: number }
  | { verdict: 'not linearizable'; culprit: CounterOperation; orders: number }
  | { verdict: 'not decided'; reached: CounterOperation; orders: number };

export function checkLinearizable(
  initial: number,
  operations: readonly CounterOperation[],
  withinMs: number,
): Linearizability {
  const deadlineMs = performance.now() + withinMs;
  const { steps, entries } = timelineOf(operations);
  const impossible = findImpossible(initial, steps);
  if (impossible) return { verdict: 'not linearizable', culprit: impossible, orders: 0 };

  const state = createCounterState(initial, entries);
  // Where one operation must follow another, the third rule does not hold.
  const isFree = entries.every(({ after }) => after === null);
  const failed = new Set<string>();
  const choices: Choice[] = [];
  /** Operations that have once come too late. */
  const urgent = new Set<Entry>();
  let position = 0;
  let orders = 0;
  let farthest = 0;

  for (;;) {
    const step = steps[position];
    if (!step) return { verdict: 'linearizable', orders };
    const { kind, entry } = step;
    if (kind === 'start') {
      state.open(entry);
      position += 1;
    } else if (state.hasHappened(entry) || entry.operation.mayBeMissing) {
      state.close(entry);
      position += 1;
      // Nothing is open: whichever order led here, the rest is the same.
      if (state.isQuiet()) forgetChoices();
    } else {
      farthest = Math.max(farthest, position);
      orders += 1;
      if (orders % CHECK_CLOCK_EVERY === 0 && performance.now() > deadlineMs) {
        return { verdict: 'not decided', reached: operationAt(farthest), orders };
      }
      const choice = choiceFor(entry);
      choices.push(choice);
      if (choice.options.length === 0 && !urgent.has(entry)) {
        beginAgainWith(entry);
        continue;
      }
      if (!takeNext()) return { verdict: 'not linearizable', culprit: operationAt(farthest), orders };
    }
  }

  /** The changes that may happen next so that `entry` can end. */
  function choiceFor(entry: Entry): Choice {
    const mark = state.mark();
    const last = choices.at(-1);
    const isIdle =
      last?.position === position && mark === last.mark + 1 && (last.isIdle || last.isPossible) && isFree;
    const key = `${position}${isIdle ? '!' : ':'}${state.key()}`;
    const isPossible = !entry.isObserver && state.isPossible(entry);
    const choice: Choice = { position, mark, key, isIdle, isPossible, options: [] };
    if (failed.has(key)) return choice;
    const mayGo = isPossible && !isIdle;
    // Nobody looks: it makes no difference who goes first.
    if (mayGo && isFree && !state.isWatched()) return { ...choice, options: [entry] };
    const others = state
      .heads()
      .filter((head) => head !== entry && state.isPossible(head))
      .sort((a, b) => merit(a, entry) - merit(b, entry));
    choice.options = [
      ...others.filter((head) => !isHurried(head)),
      ...(mayGo ? [entry] : []),
      ...others.filter(isHurried),
    ];
    return choice;
  }

  function isHurried(head: Entry): boolean {
    return urgent.has(head) || state.wouldShow(head, urgent);
  }

  /**
   * It came too late: all of its time is gone through once more, and now it goes first wherever it can. That is no
   * more than another order of trying: what has failed stays failed, and each operation is hurried only once.
   */
  function beginAgainWith(entry: Entry): void {
    urgent.add(entry);
    const first = choices.findIndex((choice) => choice.position > entry.opensAt);
    const choice = choices[first] as Choice;
    goBackTo(choice);
    choices.length = first;
  }

  /** What is likely to help is tried first. */
  function merit(head: Entry, entry: Entry): number {
    return (state.wouldShow(head) ? 2 : 0) + (entry.isObserver && state.leadsTo(head, entry) ? 1 : 0);
  }

  /** Lets the best change happen that has not been tried, going back as far as it takes. False if all were tried. */
  function takeNext(): boolean {
    for (let choice = choices.at(-1); choice; choice = choices.at(-1)) {
      goBackTo(choice);
      const next = choice.options.pop();
      if (next) {
        state.happen(next);
        return true;
      }
      failed.add(choice.key);
      choices.pop();
    }
    return false;
  }

  function goBackTo(choice: Choice): void {
    state.undo(choice.mark);
    while (position > choice.position) {
      position -= 1;
      const step = steps[position];
      if (step?.kind === 'start') state.forget(step.entry);
      else if (step) state.reopen(step.entry);
    }
  }

  function forgetChoices(): void {
    choices.length = 0;
    failed.clear();
  }

  function operationAt(index: number): CounterOperation {
    return (steps[index] as Step).entry.operation;
  }
}

// Often enough for a limit of a second, and no cost.
const CHECK_CLOCK_EVERY = 256;

/** A moment at which an operation must have happened and has not, and what has not been tried there. */
interface Choice {
  position: number;
  mark: number;
  key: string;
  /** The operation could have gone before the last change, and nobody saw that change. */
  isIdle: boolean;
  isPossible: boolean;
  /** The best is the last. */
  options: Entry[];
}
