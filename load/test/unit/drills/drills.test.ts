import { describe, expect, it } from 'vitest';

import { cellInWords, cellOf } from '#src/drills/cell.ts';
import type { Drill, Scene } from '#src/drills/drill.ts';
import { DRILLS } from '#src/drills/drills.ts';
import { redisFailover } from '#src/drills/drills/failover.ts';
import { redisCut } from '#src/drills/drills/network.ts';
import { pauseHolder } from '#src/drills/drills/pause-holder.ts';
import { redisPause, redisRestart } from '#src/drills/drills/redis.ts';
import type { Struck } from '#src/drills/judge-strike.ts';
import { commandOf, readOptions } from '#src/drills/options.ts';
import { showDrills, strikesOf } from '#src/drills/progress.ts';
import { conclusion } from '#src/drills/report.ts';
import { throughputOf } from '#src/drills/throughput.ts';
import type { Exchange } from '#src/generators/exchange.ts';

const plain = (_style: unknown, text: string) => text;

describe('a cell', () => {
  it('breaks where its guard had promised more than it held', () => {
    expect(cell(pauseHolder, 'always', { broken: true, oversold: 1 })).toMatchObject({ verdict: 'broke' });
    const asItSays = cell(pauseHolder, 'while-lease-held', { broken: true, oversold: 1 });
    expect(asItSays).toMatchObject({ verdict: 'broke as it says' });
    expect(cellInWords(asItSays)).toBe('oversold 1 of 1');
    expect(conclusion([asItSays], plain)).toMatch(/^PASS/);
  });

  it('is no breach of a lease where the machine was slower than one', () => {
    const broken = { broken: true, oversold: 1 };
    expect(cell(redisRestart, 'while-lease-held', broken).verdict).toBe('broke');
    const slow = { ...broken, slow: true };
    expect(cell(redisRestart, 'while-lease-held', slow).verdict).toBe('broke as it says');
    expect(cell(redisRestart, 'always', slow).verdict).toBe('broke');
  });

  it('breaks where nobody can buy any more, whatever its guard promises', () => {
    const stuck = { broken: true, check: 'sells-again', slow: true };
    expect(cell(pauseHolder, 'while-lease-held', stuck)).toMatchObject({ verdict: 'broke' });
  });

  it('is exact where nothing was wrong, and tells for how long nobody could buy', () => {
    expect(cellInWords(cell(pauseHolder, 'always', {}))).toBe('exact');
    const refused = cell(redisPause, 'always', { withoutSaleMs: 2_340 });
    expect(refused).toMatchObject({ verdict: 'exact' });
    expect(cellInWords(refused)).toBe('refused 2.3 s');
  });

  it('shows nothing where what must break did not, or nobody was struck', () => {
    expect(cell(pauseHolder, 'while-lease-held', {})).toMatchObject({ verdict: 'not shown' });
    expect(cell(redisRestart, 'always', { isMissed: true })).toMatchObject({ verdict: 'not shown' });
    expect(cell(pauseHolder, 'always', { struck: 0 })).toMatchObject({ verdict: 'not shown' });
    expect(conclusion([cell(pauseHolder, 'always', { struck: 0 })], plain)).toMatch(/^NOT SHOWN/);
  });

  it('tells a throughput that is below its floor', () => {
    const slow = cell(pauseHolder, 'always', { after: 20 });
    expect(slow).toMatchObject({ verdict: 'exact', below: ['after: 20 of 100 a second'] });
    expect(conclusion([slow], plain)).toMatch(/^NOT SHOWN/);
  });

  it('tells that nobody bought for longer than it aims for', () => {
    const { below } = cell(redisFailover, 'always', { withoutSaleMs: 5_200 });
    expect(below).toEqual(['without a sale: 5.2 s, and 5 s are aimed for']);
    expect(cell(redisFailover, 'always', { withoutSaleMs: 4_900 }).below).toEqual([]);
  });
});

it('throughput is what was answered as it should be, before the strike, until it is healed, and from then on', () => {
  // Ten a second, but for the fault: from 1 s to 2 s one is refused, and one is never answered.
  const sales = [...range(0, 1_000), ...range(2_500, 5_000)].map((atMs) => exchange(atMs, 'booked'));
  const refused = [exchange(1_500, 'unavailable'), exchange(null, 'booked')];
  const phases = { steadyAtMs: 0, strikeAtMs: 1_000, healedAtMs: 2_000, endedAtMs: 5_000 };
  expect(throughputOf([...sales, ...refused], phases)).toEqual({
    perSecond: { before: 10, during: 0, after: expect.closeTo(10, -0.5) },
    withoutSaleMs: 1_500,
    firstSaleMs: 500,
    halfRateMs: expect.closeTo(250, -2),
  });
  const never = throughputOf([exchange(500, 'booked')], phases);
  expect(never).toMatchObject({ firstSaleMs: null, halfRateMs: null });
});

describe('options', () => {
  it('are by default what the project is about, and everything with ALL=1', () => {
    expect(readOptions([], {})).toMatchObject({
      drills: ['pause-holder'],
      strategies: ['simple-lock', 'fenced-lock'],
      runs: 1,
    });
    const all = readOptions([], { ALL: '1' });
    expect(all.drills).toHaveLength(DRILLS.length);
    expect(all.strategies).toContain('quorum-lock');
    const some = readOptions([], { ALL: '1', STRATEGY: 'row-lock' });
    expect(some.drills).not.toContain('quorum-loses-one');
  });

  it('make the command that repeats a run', () => {
    const env = { NAME: 'redis-flush,pause-holder', STRATEGY: 'row-lock', SEED: '7' };
    const command = 'make drill NAME=redis-flush,pause-holder STRATEGY=row-lock RUNS=1 SEED=7';
    expect(commandOf(readOptions([], env))).toBe(command);
    expect(commandOf(readOptions([], { ALL: '1', SEED: '7' }))).toBe('make drill ALL=1 RUNS=1 SEED=7');
  });

  it.each([
    [{ NAME: 'pause-holdr' }, /did you mean pause-holder\?/],
    [{ STRATEGY: 'fenced-lok' }, /did you mean fenced-lock\?/],
    [{ NAME: 'quorum-loses-one' }, /add STRATEGY=quorum-lock/],
    [{ MISTAKE: 'all', STRATEGY: 'row-lock' }, /^STRATEGY says nothing to MISTAKE/],
    [{ MISTAKE: 'all', RUNTIME: 'docker' }, /natively only: RUNTIME=native$/],
  ])('%j is refused', (env, line) => {
    expect(() => readOptions([], env)).toThrow(line);
  });
});

it('a strike of bookings that are held counts for as many as one replica holds', () => {
  const two = { strategies: ['row-lock', 'fenced-lock'], runs: 100 };
  expect(strikesOf({}, two)).toBe(100);
  expect(strikesOf({ holds: true }, two)).toBe(25);
});

it('the time that is left is that of all strikes of all drills', () => {
  const lines: string[] = [];
  const stream = { isTTY: false, write: (line: string) => lines.push(line) } as unknown as NodeJS.WriteStream;
  using progress = showDrills(
    [pauseHolder, redisRestart],
    { strategies: ['row-lock', 'fenced-lock'], runs: 100 },
    stream,
  );
  progress.begin(pauseHolder);
  // Of those that are held four are struck at once: 25 strikes, and 100 restarts, of 13 s each.
  expect(lines).toEqual(['1 of 2 · pause-holder · 27 min left\n']);
});

it('one replica alone loses Redis: all its servers, those of the quorum lock too', async () => {
  const done: string[] = [];
  const servers = ['postgres', 'quorum-1', 'redis'];
  const cluster = {
    links: async () =>
      ['booking-1', 'booking-10'].flatMap((replica) => servers.map((to) => `${replica}>${to}`)),
    link: async (from: string, to: string) => ({
      refuse: async () => void done.push(`refuse ${from}>${to}`),
      heal: async () => void done.push(`heal ${from}>${to}`),
    }),
  } as unknown as Scene['cluster'];
  const scene = { cluster, replica: 'booking-1' } as Scene;
  await redisCut.strike(scene);
  expect(done.splice(0)).toEqual(['refuse booking-1>quorum-1', 'refuse booking-1>redis']);
  await redisCut.heal(scene);
  expect(done).toEqual(['heal booking-1>quorum-1', 'heal booking-1>redis']);
});

it('every drill has a name of its own', () => {
  expect(new Set(DRILLS.map(({ name }) => name)).size).toBe(DRILLS.length);
});

function cell(
  drill: Drill,
  guarantee: 'none' | 'while-lease-held' | 'always',
  facts: {
    broken?: boolean;
    oversold?: number;
    struck?: number;
    withoutSaleMs?: number;
    after?: number;
    slow?: boolean;
    isMissed?: boolean;
    check?: string;
  },
) {
  const { isMissed = false, check = 'oversold' } = facts;
  const { broken = false, oversold = 0, struck = 1, withoutSaleMs = 100, after = 100, slow = false } = facts;
  const one: Struck = {
    strategy: 'some-lock',
    replica: 'booking-1',
    throughput: {
      perSecond: { before: 100, during: 50, after },
      withoutSaleMs,
      firstSaleMs: 10,
      halfRateMs: 20,
    },
    requests: { started: 300, refused: 0, unknown: 0, settled: 0 },
    isMissed,
    held: { struck, oversold },
    told: [],
    outlastedLease: slow,
    oversold,
    checks: [{ check, verdict: broken ? 'failed' : 'passed', detail: broken ? 'too many' : null }],
    operations: [],
  };
  return cellOf(drill, { strategy: 'some-lock', guarantee }, [one], []);
}

function range(fromMs: number, untilMs: number): number[] {
  return Array.from({ length: (untilMs - fromMs) / 100 }, (_, index) => fromMs + 100 * index);
}

function exchange(receivedAtMs: number | null, code: 'booked' | 'unavailable'): Exchange {
  const answer = receivedAtMs === null ? null : { receivedAtMs, code, status: code === 'booked' ? 201 : 503 };
  return {
    ask: { operation: 'book', event: 0, quantity: 1 },
    startedAtMs: receivedAtMs ?? 0,
    answer,
  } as Exchange;
}
