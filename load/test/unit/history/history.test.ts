import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { UsageError } from '@lastseat/infra/command-line';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { toEdn } from '#src/history/edn.ts';
import type { Operation, Settled } from '#src/history/operation.ts';
import { readHistory } from '#src/history/read-history.ts';
import { countSettled, settledInWords } from '#src/history/settled.ts';
import { writeHistory } from '#src/history/write-history.ts';
import { checkHistory } from '#src/linearizability/from-history.ts';

import { answerOf, historyOfRun, honestRun } from '../honest-run.ts';

const NOTHING: Operation = {
  operation: 'book',
  client: 0,
  event: 7,
  strategy: null,
  quantity: null,
  free: null,
  outcome: 'ok',
  answer: null,
  intendedMs: 0,
  startMs: 0,
  endMs: 0,
  startedAt: 0,
  endedAt: 0,
  instance: null,
  customer: null,
  request: null,
  booking: null,
  token: null,
};

function operation(changes: Partial<Operation>): Operation {
  return { ...NOTHING, ...changes };
}

const create = operation({ operation: 'create', quantity: 2, free: 2, startMs: 0, endMs: 1 });
const book = operation({ client: 1, quantity: 1, answer: 'booked', booking: 'b-1', startMs: 2, endMs: 4 });
const lost = operation({ client: 2, quantity: 1, outcome: 'unknown', startMs: 3, endMs: null });
const cancel = operation({
  operation: 'cancel',
  client: 1,
  quantity: 1,
  booking: 'b-1',
  startMs: 5,
  endMs: 6,
});
const read = (free: number): Operation =>
  operation({ operation: 'read', client: 3, free, startMs: 7, endMs: 8 });
const count = (free: number): Operation =>
  operation({ operation: 'count', quantity: 2 - free, free, startMs: 20, endMs: 21 });
const refused = operation({
  client: 4,
  quantity: 2,
  outcome: 'rejected',
  answer: 'sold_out',
  startMs: 9,
  endMs: 9.5,
});

const verdict = (...history: Operation[]): string => checkHistory(history, 5_000)[0]!.result.verdict;

describe('the file', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lastseat-history-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives back what was written, one line an operation', async () => {
    const path = join(folder, 'new', 'history.jsonl');
    const written = [create, book, lost, cancel, read(1), refused];
    {
      using history = writeHistory(path);
      for (const operation of written) history.append(operation);
    }
    expect(readFileSync(path, 'utf8').match(/\n/g)).toHaveLength(written.length);
    expect(await Array.fromAsync(readHistory(path))).toEqual(written);
  });

  it('is written while the run goes on, in pieces', () => {
    const path = join(folder, 'history.jsonl');
    using history = writeHistory(path);
    for (let times = 0; times < 1_000; times += 1) history.append(book);
    expect(readFileSync(path, 'utf8').length).toBeGreaterThan(100_000);
  });

  it.each([
    ['{"operation":"book"', /:2: not JSON; was the run cut off/],
    ['{"operation":"steal"}', /:2: no operation of a history \(operation, outcome, event, startMs, endMs\)/],
  ])('says which line is none: %s', async (line, message) => {
    const path = join(folder, 'history.jsonl');
    writeFileSync(path, `${JSON.stringify(create)}\n${line}\n`);
    await expect(Array.fromAsync(readHistory(path))).rejects.toThrow(message);
  });

  it('says in one line that there is none', async () => {
    await expect(Array.fromAsync(readHistory(join(folder, 'missing')))).rejects.toThrow(UsageError);
  });
});

describe('a history as a counter', () => {
  it.each<[free: number, settled: Settled, verdict: string]>([
    [2, 'not done', 'linearizable'],
    [1, 'not done', 'not linearizable'],
    // It has a row at the end: it may have come before this read, or after it.
    [2, 'done', 'linearizable'],
    [1, 'done', 'linearizable'],
    [1, 'open', 'linearizable'],
    [0, 'open', 'not linearizable'],
  ])('reads %i with a lost booking that is settled as %s: %s', (free, settled, expected) => {
    expect(verdict(create, book, { ...lost, settled }, cancel, read(free))).toBe(expected);
  });

  it('ends with what Postgres holds, and all that was done is in it', () => {
    expect(verdict(create, book, { ...lost, settled: 'done' }, count(0))).toBe('linearizable');
    expect(verdict(create, book, { ...lost, settled: 'done' }, count(1))).toBe('not linearizable');
  });

  it('gives nothing back that was not booked before', () => {
    const early = { ...cancel, startMs: 2, endMs: 3.5 };
    const reads = [read(2), { ...read(3), startMs: 2.5, endMs: 3 }];
    expect(verdict(create, book, early, reads[0]!)).toBe('linearizable');
    expect(verdict(create, book, early, ...reads)).toBe('not linearizable');
  });

  it('takes each event by itself', () => {
    const other = [create, book, { ...read(0), free: 0 }].map((one) => Object.assign({}, one, { event: 8 }));
    const verdicts = checkHistory([create, book, ...other], 5_000).map(({ event, result }) => [
      event,
      result.verdict,
    ]);
    expect(verdicts).toEqual([
      [7, 'linearizable'],
      [8, 'not linearizable'],
    ]);
  });

  it('learns nothing from a busy answer', () => {
    expect(verdict(create, { ...refused, answer: 'busy' }, read(2))).toBe('linearizable');
    expect(verdict(create, { ...refused, answer: 'sold_out' }, read(2))).toBe('not linearizable');
  });
});

it('in the notation of Jepsen, each operation is an invocation and what came of it', () => {
  const later = operation({ client: 2, operation: 'read', free: 0, startMs: 10, endMs: 11 });
  expect(toEdn([create, book, { ...lost, settled: 'open' }, refused, later])).toEqual([
    '{:index 0, :time 0, :process 0, :type :invoke, :f :create, :value [7 2]}',
    '{:index 1, :time 1000000, :process 0, :type :ok, :f :create, :value [7 2]}',
    '{:index 2, :time 2000000, :process 1, :type :invoke, :f :book, :value [7 {:quantity 1}]}',
    '{:index 3, :time 3000000, :process 2, :type :invoke, :f :book, :value [7 {:quantity 1}]}',
    '{:index 4, :time 4000000, :process 1, :type :ok, :f :book, :value [7 {:quantity 1, :booking "b-1"}]}',
    '{:index 5, :time 9000000, :process 4, :type :invoke, :f :book, :value [7 {:quantity 2}]}',
    '{:index 6, :time 9500000, :process 4, :type :fail, :f :book, :value [7 {:quantity 2}], :error :sold-out}',
    // Whoever was told nothing is not asked again under the same number.
    '{:index 7, :time 10000000, :process 5, :type :invoke, :f :read, :value [7 nil]}',
    '{:index 8, :time 11000000, :process 5, :type :ok, :f :read, :value [7 0]}',
    '{:index 9, :time 11000000, :process 2, :type :info, :f :book, :value [7 {:quantity 1}], :error :no-answer}',
  ]);
});

it('those of unknown end are settled by their rows, and by what the service says of their requests', () => {
  const run = honestRun();
  run.terms.maxUnknown = 3;
  run.attempts[0]!.answer = answerOf(504, 'unknown', 0);
  run.lookUps = new Map([['buyer-1', run.rows[0]!.id]]);
  run.attempts[1]!.answer = null;
  run.attempts[20]!.answer = null;
  const settled = countSettled(historyOfRun(run));
  expect(settled).toEqual({ unknown: 3, done: 2, notDone: 1, open: 0, lookedUp: 1 });
  expect(settledInWords(settled)).toBe(
    '3: 2 have a row in Postgres, 1 has none; 1 confirmed by GET /requests',
  );
});
