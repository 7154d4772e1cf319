import { describe, expect, it } from 'vitest';

import type { Ask, Exchange } from '#src/generators/exchange.ts';
import { fromWallClockMs, onMachineClock } from '#src/history/clock.ts';
import { expiriesOf, expiryOperations } from '#src/history/expiries.ts';
import type { Operation } from '#src/history/operation.ts';
import { answeredOperation, createOperation, otherOperation } from '#src/history/operations.ts';
import { checkHistory } from '#src/linearizability/from-history.ts';
import type { Truth } from '#src/truth.ts';

const sale = { event: 7, strategy: 'row-lock', quantity: 1 };
// The start of what happens here; a hold of the first second ends two seconds later.
const START_MS = performance.now();
const END_MS = 2_000;
const truth = { epoch: 1, capacity: 1, available: 1, rows: [] } satisfies Truth;

describe('a hold of the only ticket', () => {
  it('ends at its moment, and not before', () => {
    const [end] = expiryOperations(sale, [hold()]);
    expect(end).toMatchObject({ operation: 'expire', booking: 'b-1', quantity: 1, outcome: 'ok' });
    const expectedMs = onMachineClock(START_MS + END_MS);
    expect(end!.startMs).toBeLessThan(expectedMs);
    expect(end!.endMs).toBeGreaterThan(expectedMs);
    expect(end!.endMs! - end!.startMs).toBeLessThan(50);
    expect(verdict(hold(), read(500, 0), read(END_MS + 100, 1))).toBe('linearizable');
    expect(verdict(hold(), read(500, 1))).toBe('not linearizable');
    expect(verdict(hold(), read(END_MS + 100, 0))).toBe('not linearizable');
  });

  it('is taken by nobody else until then: all_held is right before its end, and wrong after it', () => {
    expect(verdict(hold(), refused(500))).toBe('linearizable');
    expect(verdict(hold(), refused(END_MS + 100))).toBe('not linearizable');
  });

  it('has no end if it was confirmed before', () => {
    expect(expiryOperations(sale, [hold(), confirm(500)])).toEqual([]);
    expect(verdict(hold(), confirm(500), read(END_MS + 100, 0))).toBe('linearizable');
    expect(verdict(hold(), confirm(500), read(END_MS + 100, 1))).toBe('not linearizable');
  });

  it('may be seen free and taken again where its confirmation was under way when it ended', () => {
    const late = confirm(END_MS - 100, 300);
    expect(verdict(hold(), late, read(END_MS + 30, 1, 10), read(END_MS + 300, 0))).toBe('linearizable');
    expect(verdict(hold(), late, read(END_MS + 30, 0, 10), read(END_MS + 300, 0))).toBe('linearizable');
    expect(verdict(hold(), late, read(END_MS + 300, 1))).toBe('not linearizable');
    expect(verdict(hold(), late, read(END_MS - 200, 1, 10))).toBe('not linearizable');
  });

  it('is not confirmed after its end when somebody else has taken the ticket', () => {
    const other = exchange({ operation: 'book', event: 0, quantity: 1 }, END_MS + 50, 10, 'b-2');
    expect(verdict(hold(), other, confirm(END_MS + 100))).toBe('not linearizable');
    expect(verdict(hold(), confirm(END_MS + 100))).toBe('linearizable');
  });

  it('decides nothing where nobody was told until when it is', () => {
    const history = historyOf([hold(), read(500, 0)]);
    history[1] = { ...history[1]!, outcome: 'unknown', settled: 'open', endMs: null };
    expect(checkHistory(history, 5_000)).toMatchObject([
      { result: { verdict: 'not decided' }, sentence: expect.stringContaining('nobody was told') },
    ]);
  });

  it('decides where Postgres has told when it ends', () => {
    const endsAt = new Date(START_MS + END_MS - fromWallClockMs());
    const ends = expiriesOf(sale, [{ id: 'b-1', customer: 'run-x', quantity: 1, endsAt }]);
    const verdictOf = (...reads: Exchange[]) => {
      const [create, ...others] = historyOf(reads);
      const [, held] = historyOf([hold()]);
      const lost = { ...held!, outcome: 'unknown', settled: 'done', endMs: null } as const;
      return checkHistory([create!, lost, ...ends, ...others], 5_000)[0]?.result.verdict;
    };
    expect(verdictOf(read(500, 1), read(600, 0), read(END_MS + 100, 1))).toBe('linearizable');
    expect(verdictOf(read(500, 0), read(600, 1))).toBe('not linearizable');
    expect(verdictOf(read(END_MS + 100, 0))).toBe('not linearizable');
  });
});

function verdict(...exchanges: Exchange[]): string | undefined {
  return checkHistory(historyOf(exchanges), 5_000)[0]?.result.verdict;
}

function historyOf(exchanges: Exchange[]): Operation[] {
  const created = { startMs: START_MS - 20, endMs: START_MS - 10 };
  return [
    createOperation(sale, 1, created),
    ...exchanges.map((exchange) =>
      ['book', 'hold'].includes(exchange.ask.operation)
        ? answeredOperation(sale, exchange)
        : otherOperation(sale, exchange, truth),
    ),
    ...expiryOperations(sale, exchanges),
  ];
}

function hold(): Exchange {
  return exchange({ operation: 'hold', event: 0, quantity: 1, seconds: 1 }, 0, 20, 'b-1');
}

function confirm(atMs: number, lastsMs = 20): Exchange {
  return exchange({ operation: 'confirm', event: 0, quantity: 1, bookingId: 'b-1' }, atMs, lastsMs);
}

function read(atMs: number, free: number, lastsMs = 20): Exchange {
  return { ...exchange({ operation: 'read', event: 0 }, atMs, lastsMs), free };
}

function refused(atMs: number): Exchange {
  const asked = exchange({ operation: 'book', event: 0, quantity: 1 }, atMs, 20);
  return { ...asked, answer: { ...asked.answer!, status: 409, code: 'all_held' } };
}

function exchange(ask: Ask, atMs: number, lastsMs: number, bookingId?: string): Exchange {
  const startedAtMs = START_MS + atMs;
  const isNew = ask.operation === 'book' || ask.operation === 'hold';
  const expiresAt = new Date(START_MS + END_MS - fromWallClockMs()).toISOString();
  const booking =
    bookingId === undefined ? null : { bookingId, ...(ask.operation === 'hold' && { expiresAt }) };
  const answer = {
    status: isNew ? 201 : 200,
    code: isNew ? 'booked' : 'http_200',
    receivedAtMs: startedAtMs + lastsMs,
    booking,
  } as Exchange['answer'];
  const names = { client: 1, buyer: 1, number: 1, customer: 'run-x', intendedAtMs: startedAtMs };
  return { ...names, ask, startedAtMs, answer, free: null };
}
