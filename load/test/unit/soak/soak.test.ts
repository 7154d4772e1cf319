import { describe, expect, it } from 'vitest';

import type { Drill, Scene } from '#src/drills/drill.ts';
import { DRILLS } from '#src/drills/drills.ts';
import type { Ask, Exchange } from '#src/generators/exchange.ts';
import { coursesOf, oldestOf } from '#src/soak/flat.ts';
import { nothingLost } from '#src/soak/lost.ts';
import { commandOf, drillsFor, readOptions } from '#src/soak/options.ts';
import { faultsOf, together } from '#src/soak/plan.ts';
import { repeatingBuyer } from '#src/soak/repeating-buyer.ts';
import { inWaves } from '#src/soak/waves.ts';

describe('the faults of a seed', () => {
  it('are the same in each run of it, and others for another seed', () => {
    expect(planOf(7, 100)).toEqual(planOf(7, 100));
    expect(planOf(7, 20)).toEqual(planOf(7, 100).slice(0, 20));
    expect(planOf(8, 100)).not.toEqual(planOf(7, 100));
  });

  it('are all drills, once each, before one comes again; sometimes two that strike different parts', () => {
    const plan = faultsOf(1, DRILLS)
      .take(10 * DRILLS.length)
      .toArray();
    const firsts = plan.slice(0, DRILLS.length).map(({ drills: [first] }) => first?.name);
    expect(new Set(firsts).size).toBe(DRILLS.length);
    const pairs = plan.map(({ drills }) => drills).filter(({ length }) => length > 1);
    expect(pairs.length).toBeGreaterThan(0);
    const strange = pairs.filter(([a, b]) => a?.where === undefined || a.where === b?.where);
    expect(strange).toEqual([]);
  });

  it('that strike together strike replicas first and heal them last, each whatever becomes of the other', async () => {
    const done: string[] = [];
    const drillOf = (name: string, where: NonNullable<Drill['where']>, lastsMs: [number, number]): Drill => ({
      ...(DRILLS[0] as Drill),
      name,
      where,
      lastsMs,
      strike: async () => void done.push(`strike ${name}`),
      async heal() {
        done.push(`heal ${name}`);
        throw new Error(name);
      },
    });
    const both = together([drillOf('server', 'redis', [1, 5]), drillOf('replica', 'replicas', [2, 3])]);
    expect(both).toMatchObject({ name: 'server + replica', lastsMs: [2, 5] });
    await both.strike({} as Scene);
    await expect(both.heal({} as Scene)).rejects.toThrow('server');
    expect(done).toEqual(['strike replica', 'strike server', 'heal server', 'heal replica']);
  });
});

describe('what is used', () => {
  it('grew where the second half is more than a tenth above the first, and not by a trifle', () => {
    expect(verdictOf([100, 100, 100, 100, 120, 120, 120, 120])).toBe('grew');
    expect(verdictOf([100, 100, 100, 100, 109, 109, 109, 109])).toBe('flat');
    expect(verdictOf([1, 1, 1, 1, 4, 4, 4, 4])).toBe('flat');
    expect(verdictOf([40, 40, 40, 40, 47, 47, 47, 47], 'MB of redis')).toBe('flat');
    expect(verdictOf([40, 40, 40, 40, 49, 49, 49, 49], 'MB of redis')).toBe('grew');
  });

  it('is flat where a single look was high, and not shown by a few looks', () => {
    expect(verdictOf([100, 100, 100, 100, 900, 100, 100, 100])).toBe('flat');
    expect(verdictOf([1, 2, 3, 4, 5, 6, 7])).toBe('not shown');
  });

  it('tells for how many looks a replica was the same process', () => {
    const pids = [
      { 'booking-1': 1 },
      { 'booking-1': 1 },
      { 'booking-1': 2, redis: 9 },
      { redis: 9 },
      { redis: 9 },
    ];
    expect(oldestOf(pids.map((pids) => ({ pids })))).toBe(2);
  });
});

describe('a booking', () => {
  const booked = exchangeOf({ operation: 'book', event: 0, quantity: 1 }, 'booked', 'a');
  const cancelled = (code: string) =>
    exchangeOf({ operation: 'cancel', event: 0, quantity: 1, bookingId: 'a' }, code);

  it('that somebody was given is there until it is given back', () => {
    expect(nothingLost([booked], new Set(['a'])).verdict).toBe('passed');
    expect(nothingLost([booked], new Set())).toMatchObject({
      verdict: 'failed',
      detail: '1 booking that somebody was given is gone (a)',
    });
    expect(nothingLost([booked, cancelled('ok')], new Set()).verdict).toBe('passed');
    expect(nothingLost([booked, cancelled('unknown')], new Set()).verdict).toBe('passed');
    expect(nothingLost([booked, cancelled('busy')], new Set()).verdict).toBe('failed');
  });

  it('can be given back by whoever has it', () => {
    expect(nothingLost([booked, cancelled('http_404')], new Set()).detail).toBe(
      '1 booking could not be given back (a: http_404)',
    );
  });
});

describe('a buyer with idempotency keys', () => {
  it('asks with the same key until it is told how that ended, and with another one after that', () => {
    const buyer = repeatingBuyer(() => 1, 'x');
    const first = buyer.next();
    for (const code of ['unknown', 'busy', 'unavailable']) {
      buyer.told?.(exchangeOf(first, code));
      expect(buyer.next()).toBe(first);
    }
    buyer.told?.(exchangeOf(first, 'booked', 'a'));
    expect(buyer.next()).toMatchObject({ operation: 'book', key: { number: 2 } });
  });

  it('asks once more for some of what it has, and has it once', () => {
    const buyer = repeatingBuyer(() => 0, 'x');
    const asked: Ask[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      const ask = buyer.next();
      asked.push(ask);
      const id = ask.operation === 'book' ? `of ${ask.key?.number}` : '';
      buyer.told?.(exchangeOf(ask, 'booked', id));
    }
    expect(asked.map((ask) => (ask.operation === 'book' ? ask.key?.number : ask.operation))).toEqual([
      1,
      1,
      2,
      2,
      3,
      3,
      'cancel',
    ]);
    expect(asked.at(-1)).toMatchObject({ bookingId: 'of 1' });
  });
});

it('a client begins anew with each wave, and is not told of what it asked before', () => {
  let wave = 0;
  const told: string[] = [];
  const client = inWaves(
    () => wave,
    () => {
      const begunIn = wave;
      return {
        next: () => ({ operation: 'book', event: 0, quantity: 1 }),
        told: ({ ask }) => void told.push(`${begunIn} of ${ask.event}`),
      };
    },
  );
  const old = client.next();
  wave = 3;
  const ask = client.next();
  expect([old.event, ask.event]).toEqual([0, 3]);
  client.told?.(exchangeOf(old, 'booked', 'a'));
  client.told?.(exchangeOf(ask, 'booked', 'b'));
  expect(told).toEqual(['3 of 3']);
});

describe('options', () => {
  it('make the command that draws the same faults again', () => {
    const env = { MINUTES: '5', SEED: '7', FAULTS: '20', NAME: 'redis-flush', STRATEGY: 'row-lock' };
    const command = 'make soak MINUTES=5 SEED=7 FAULTS=20 NAME=redis-flush STRATEGY=row-lock';
    expect(commandOf(readOptions([], env))).toBe(command);
    expect(commandOf(readOptions(['--seed=7'], {}))).toBe('make soak MINUTES=10 SEED=7');
  });

  it.each([
    [{ MINUTES: '0' }, /^MINUTES=0: /],
    [{ NAME: 'redis-flsh' }, /did you mean redis-flush\?/],
    [{ STRATEGY: 'row-lok' }, /did you mean row-lock\?/],
  ])('%j is refused', (env, line) => {
    expect(() => readOptions([], env)).toThrow(line);
  });

  it('let all strike that can', () => {
    const names = drillsFor(readOptions([], {})).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['clock-step', 'redis-cut', 'quorum-loses-one']));
    expect(names).not.toContain('redis-failover');
  });

  it.each([
    [{ NAME: 'redis-failover' }, /^NAME=redis-failover: a soak has one server of each$/],
    [{ NAME: 'quorum-loses-one', STRATEGY: 'row-lock' }, /add STRATEGY=quorum-lock$/],
  ] as const)('%j is refused where it cannot strike', (env, line) => {
    expect(() => drillsFor(readOptions([], env))).toThrow(line);
  });
});

function verdictOf(values: readonly number[], what = 'keys in Redis') {
  const looks = values.map((value, atMin) => ({ atMin, values: { [what]: value }, pids: {} }));
  return coursesOf(looks)[0]?.verdict;
}

function planOf(seed: number, faults: number) {
  return faultsOf(seed, DRILLS)
    .take(faults)
    .map(({ number, drills, random }) => [number, drills.map(({ name }) => name).join(), random(), random()])
    .toArray();
}

function exchangeOf(ask: Ask, code: string, bookingId?: string): Exchange {
  const status = { booked: 201, ok: 200 }[code] ?? 503;
  const booking = bookingId === undefined ? null : { bookingId };
  return { ask, answer: { code, status, booking } } as unknown as Exchange;
}
