import { describe, expect, it } from 'vitest';

import type { CounterOperation } from '#src/linearizability/counter.ts';
import { checkLinearizable } from '#src/linearizability/search.ts';

import { randomOf, rightHistory, tryEveryOrder, type Shape } from './histories.ts';

const LONG_MS = 50_000;

/** `take 2 from 0 to 10`. */
function operations(...lines: string[]): CounterOperation[] {
  return lines.map((label) => {
    const [, kind, amount, start, end, lost] = /^(\w+) (\d+) from (\d+) to (\d+|never)( or not)?$/.exec(
      label,
    )!;
    return {
      label,
      kind: kind as CounterOperation['kind'],
      amount: Number(amount),
      startMs: Number(start),
      endMs: end === 'never' ? Infinity : Number(end),
      mayBeMissing: lost !== undefined,
    };
  });
}

function verdict(initial: number, ...lines: string[]): string {
  return checkLinearizable(initial, operations(...lines), LONG_MS).verdict;
}

describe('a history is linearizable when', () => {
  it.each<[why: string, initial: number, lines: string[]]>([
    ['nothing happened', 3, []],
    [
      'bookings follow one another until nothing is left',
      2,
      ['take 1 from 0 to 1', 'take 1 from 2 to 3', 'refuse 1 from 4 to 5'],
    ],
    [
      'a refusal overlaps the booking that took the last ticket',
      1,
      ['refuse 1 from 0 to 10', 'take 1 from 9 to 20'],
    ],
    [
      'a read of the old number overlaps a booking that has ended first',
      1,
      ['take 1 from 0 to 5', 'read 1 from 4 to 9'],
    ],
    [
      'two reads during one booking see first the old and then the new number',
      1,
      ['take 1 from 0 to 9', 'read 1 from 1 to 2', 'read 0 from 3 to 4'],
    ],
    [
      'a booking needs what a cancellation under way gives back',
      1,
      ['take 1 from 0 to 1', 'give 1 from 2 to 9', 'take 1 from 3 to 4'],
    ],
    [
      'a booking that nobody was told of took the ticket',
      1,
      ['take 1 from 0 to never or not', 'refuse 1 from 5 to 6'],
    ],
    ['it happened only after all that was told', 1, ['take 1 from 0 to never or not', 'read 1 from 5 to 6']],
    [
      'a look-up tells later that a lost booking was made',
      2,
      ['take 1 from 0 to never', 'read 2 from 5 to 6', 'read 1 from 7 to 8'],
    ],
    ['a small order fits where a large one does not', 2, ['refuse 3 from 0 to 1', 'take 2 from 2 to 3']],
    [
      'one moment is the end of one and the start of the next',
      1,
      ['take 1 from 0 to 5', 'read 1 from 5 to 6'],
    ],
  ])('%s', (_why, initial, lines) => {
    expect(verdict(initial, ...lines)).toBe('linearizable');
  });
});

describe('a history is not linearizable when', () => {
  it.each<[why: string, initial: number, lines: string[]]>([
    ['the last ticket is sold twice', 1, ['take 1 from 0 to 5', 'take 1 from 1 to 6']],
    [
      'a refusal comes before the last ticket was asked for',
      1,
      ['refuse 1 from 0 to 1', 'take 1 from 2 to 3'],
    ],
    [
      'a read tells a number that a booking had ended before',
      1,
      ['take 1 from 0 to 1', 'read 1 from 2 to 3'],
    ],
    [
      'two reads see the new number and then the old one',
      1,
      ['take 1 from 0 to 9', 'read 0 from 1 to 2', 'read 1 from 3 to 4'],
    ],
    [
      'a cancellation was answered and its ticket is refused',
      1,
      ['take 1 from 0 to 1', 'give 1 from 2 to 3', 'refuse 1 from 4 to 5'],
    ],
    [
      'a booking took what was given back only later',
      1,
      ['take 1 from 0 to 1', 'take 1 from 2 to 3', 'give 1 from 4 to 5'],
    ],
    [
      'two reads in one booking of two tickets see one ticket',
      2,
      ['take 2 from 0 to 9', 'read 1 from 1 to 8'],
    ],
    [
      'a lost booking was made, says the look-up, and was never seen',
      1,
      ['take 1 from 0 to never', 'take 1 from 5 to 6'],
    ],
    [
      'reads see two bookings in both orders',
      3,
      ['take 1 from 0 to 9', 'take 2 from 0 to 9', 'read 2 from 1 to 2', 'read 1 from 3 to 4'],
    ],
  ])('%s', (_why, initial, lines) => {
    expect(verdict(initial, ...lines)).toBe('not linearizable');
  });
});

it('a cancellation cannot free what has not been booked yet', () => {
  const [booking, cancellation, read] = operations(
    'take 1 from 0 to 9',
    'give 1 from 0 to 9',
    'read 2 from 3 to 4',
  );
  const together = [booking!, { ...cancellation!, after: booking }, read!];
  expect(checkLinearizable(1, together, LONG_MS).verdict).toBe('not linearizable');
  expect(checkLinearizable(1, [booking!, cancellation!, read!], LONG_MS).verdict).toBe('linearizable');
});

it('names the operation that no order explains', () => {
  const history = operations('take 1 from 0 to 9', 'read 0 from 1 to 2', 'read 1 from 3 to 4');
  expect(checkLinearizable(1, history, LONG_MS)).toMatchObject({ culprit: { label: 'read 1 from 3 to 4' } });
});

it('says that it has not decided when its time is over', () => {
  // No sum of these sizes is 301: each of a million subsets would have to be tried to see it.
  const sizes = Array.from({ length: 20 }, (_, index) => `take ${3 * (index + 1)} from 0 to ${100 + index}`);
  const history = operations('read 9699 from 0 to 99', ...sizes);
  expect(checkLinearizable(10_000, history, 1)).toMatchObject({
    verdict: 'not decided',
    reached: { label: 'read 9699 from 0 to 99' },
  });
});

const SMALL: Omit<Shape, 'seed'> = {
  clients: 3,
  operations: 7,
  capacity: 3,
  mostTickets: 2,
  cancels: 0.25,
  reads: 0.25,
  lost: 0.1,
};

describe('the search agrees with trying every order', () => {
  it('about short histories, right ones and spoiled ones', () => {
    const verdicts = { right: 0, wrong: 0 };
    for (let seed = 0; seed < 4_000; seed += 1) {
      const shape = { ...SMALL, seed, inOrder: seed % 3 === 0 };
      const history = seed % 4 === 0 ? rightHistory(shape) : spoiled(rightHistory(shape), seed);
      const expected = tryEveryOrder(SMALL.capacity, history);
      if (seed % 4 === 0) expect({ seed, expected }).toEqual({ seed, expected: true });
      const { verdict } = checkLinearizable(SMALL.capacity, history, LONG_MS);
      expect({ seed, verdict }).toEqual({ seed, verdict: expected ? 'linearizable' : 'not linearizable' });
      verdicts[expected ? 'right' : 'wrong'] += 1;
    }
    // Neither answer may be the only one that was tried.
    expect(Math.min(verdicts.right, verdicts.wrong)).toBeGreaterThan(500);
  });
});

describe('long histories of many clients are decided', () => {
  const STORM = { clients: 100, operations: 5_000, cancels: 0.4, reads: 0.1 };
  it.each<[what: string, shape: Omit<Shape, 'seed'>]>([
    ['a storm of single tickets', { ...STORM, capacity: 50, mostTickets: 1 }],
    ['a storm of several tickets', { ...STORM, capacity: 100, mostTickets: 4 }],
    ['a storm with lost answers', { ...STORM, capacity: 200, mostTickets: 2, lost: 0.01 }],
    ['a rush', { ...STORM, operations: 20_000, capacity: 1_000, mostTickets: 1, cancels: 0, reads: 0 }],
  ])('%s', (_what, shape) => {
    const history = rightHistory({ ...shape, seed: 1 });
    expect(checkLinearizable(shape.capacity, history, LONG_MS).verdict).toBe('linearizable');
  });

  it('reads that tell the past, among five thousand operations', () => {
    const history = rightHistory({ ...STORM, capacity: 50, mostTickets: 1, seed: 1 });
    for (const operation of history) {
      if (operation.kind !== 'read' || operation.startMs < 50) continue;
      operation.startMs += 4;
      operation.endMs += 4;
    }
    expect(checkLinearizable(50, history, LONG_MS).verdict).toBe('not linearizable');
  });
});

/** One answer of it is another. */
function spoiled(history: readonly CounterOperation[], seed: number): CounterOperation[] {
  const random = randomOf(seed + 1);
  const which = Math.floor(random() * history.length);
  return history.map((operation, index) => {
    if (index !== which) return operation;
    if (operation.kind === 'read')
      return { ...operation, amount: Math.max(0, operation.amount + (random() < 0.5 ? 1 : -1)) };
    if (operation.kind === 'refuse') return { ...operation, kind: 'take' };
    return operation.kind === 'take'
      ? { ...operation, kind: 'refuse', mayBeMissing: false, endMs: operation.startMs + 1 }
      : { ...operation, kind: 'take' };
  });
}
