import { VARIABLES } from '@lastseat/infra/command-line';
import { plain } from '@lastseat/lab-frame/paint.ts';
import { describe, expect, it } from 'vitest';

import type { Answer } from '#src/answer.ts';
import type { Exchange } from '#src/generators/exchange.ts';
import {
  judgeSlice,
  mergeRepeats,
  repeatsAnsweredAlike,
  verdictsOf,
  type SliceFacts,
} from '#src/lab/judge-slice.ts';
import { cellsOf, inTurns } from '#src/lab/matrix.ts';
import { commandOf, readOptions, variables } from '#src/lab/options.ts';
import { inWindow } from '#src/lab/slice.ts';
import { conclusion, labTables } from '#src/lab/tables.ts';
import { cellInWords } from '#src/runs/words.ts';

import { cellOf, runOf } from '../runs/sample.ts';

describe('the options of the lab', () => {
  it('are three guards with one, two and four replicas unless said otherwise', () => {
    const { settings } = readOptions([], {});
    expect(settings).toMatchObject({ workload: 'rush', replicas: [1, 2, 4], connections: [64], slices: 6 });
    expect(settings.strategies).toHaveLength(3);
    expect(settings.arrivals).toBeUndefined();
  });

  it('are told by a command that repeats them', () => {
    const env = {
      STRATEGY: 'row-lock,no-lock',
      REPLICAS: '3',
      CONNECTIONS: '8,64',
      RATE: '500',
      BUYERS: '99',
    };
    const { BUYERS: _buyers, ...others } = env;
    for (const given of [env, { ...others, FAULT: 'none,redis-flush' }]) {
      const options = readOptions([], given);
      const words = commandOf(options).split(' ').slice(2);
      const again = Object.fromEntries(words.map((word) => word.split('=') as [string, string]));
      expect(readOptions([], again)).toEqual({ ...options, runtime: undefined });
    }
  });

  it.each([
    [{ WORKLOAD: 'rush' }, true],
    [{ WORKLOAD: 'rush', BUYERS: '99' }, false],
    [{ WORKLOAD: 'storm' }, false],
    [{ WORKLOAD: 'storm', WINDOW_MS: '10000' }, true],
    [{ WORKLOAD: 'storm', WINDOW_MS: '10000', BUYERS: '99' }, false],
  ])('%j: whether a slice is as long as its window: %s', (env, isTimed) => {
    const options = readOptions([], env);
    expect(options.settings).toMatchObject({ isTimed });
    const words = commandOf(options).split(' ');
    expect(words.filter((word) => word.startsWith('WINDOW_MS='))).toHaveLength(isTimed ? 1 : 0);
  });

  it.each([
    [['--workload', 'stampede'], '--workload stampede: must be rush'],
    [['--replicas', '33'], '--replicas 33: a whole number from 1 to 32'],
    [['--arrivals', 'poisson'], '--arrivals goes with --rate'],
    [['--name', '../x'], 'RUN_NAME=../x: letters, digits'],
    [['--fault', 'lost-reply'], /^--fault lost-reply: one or several of none, pause-holder, /],
    [['--fault', 'quorum-loses-one'], '--fault quorum-loses-one: one or several of'],
    [['--fault', 'scale-up-down'], '--fault scale-up-down: one or several of'],
    [['--fault', 'pause-holder', '--window-ms', '3000'], '--window-ms 3000: at least 6000'],
    [['--fault', 'pause-holder', '--buyers', '9'], '--buyers goes without FAULT'],
    [['--fault', 'kill-holder', '--workload', 'holds'], 'WORKLOAD=holds goes without FAULT'],
  ])('refuse %j in one line', (argv, message) => {
    expect(() => readOptions(argv, {})).toThrow(message);
  });

  it('read no variable that may not stand on the command line of make', () => {
    expect(variables().filter((name) => !VARIABLES.includes(name))).toEqual([]);
  });
});

describe('the cells of a matrix', () => {
  const settings = readOptions(['--strategy=row-lock,no-lock', '--replicas=1,2'], {}).settings;
  const cells = cellsOf(settings);

  it('have the no-op route beside them, the ceiling of each', () => {
    expect(cells.map(({ strategy, replicas }) => `${strategy} ${replicas}`)).toEqual([
      'no-op 1',
      'row-lock 1',
      'no-lock 1',
      'no-op 2',
      'row-lock 2',
      'no-lock 2',
    ]);
  });

  it('have one more for each fault; the no-op route sells nothing that could break', () => {
    const faulty = readOptions(['--strategy=row-lock', '--replicas=2', '--fault=none,kill-holder'], {});
    expect(cellsOf(faulty.settings).map(cellInWords)).toEqual([
      'no-op, 2 replicas, 64 connections',
      'row-lock, 2 replicas, 64 connections',
      'row-lock, 2 replicas, 64 connections, beside kill-holder',
    ]);
    // Half of the window is without the fault, however long it lasts.
    expect(faulty.settings).toMatchObject({ isTimed: true, windowMs: 3_000 });
  });

  it('are as many slices as were asked for, and of the ceiling six', () => {
    const planned = inTurns(cells, 9, false).filter(({ cell }) => cell.replicas === 1);
    const { length } = planned.filter(({ cell }) => cell.strategy === 'no-op');
    expect([length, planned.length]).toEqual([6, 6 + 2 * 9]);
  });

  it('take turns, every other time in reverse; numbers of replicas only where they can', () => {
    const [inTurn, oneByOne] = [false, true].map((isOneByOne) =>
      inTurns(cells, 2, isOneByOne).map(({ cell }) => `${cell.strategy[0]}${cell.replicas}`),
    );
    expect(inTurn?.join(' ')).toBe('n1 r1 n1 n2 r2 n2 n2 r2 n2 n1 r1 n1');
    expect(oneByOne?.join(' ')).toBe('n1 r1 n1 n1 r1 n1 n2 r2 n2 n2 r2 n2');
  });
});

describe('the window of a slice', () => {
  it('counts what was answered in it, and times what was under way in it', () => {
    const exchanges = [
      exchange(0, 50), // over before
      exchange(90, 110), // answered in it, asked before
      exchange(150, 160),
      exchange(190, 400), // asked in it, answered after
      exchange(300, 310), // asked after
      exchange(150, null), // never answered
    ];
    const window = inWindow({ exchanges, window: { fromMs: 100, untilMs: 200 } }, false);
    expect(window).toMatchObject({ windowMs: 100, answers: { booked: 2 }, perSecond: { booked: 20 } });
    expect(window.latency.booked).toMatchObject({ count: 3, max: 210 });
    expect(window.latency.unknown).toBeUndefined();
  });

  it('ends with the last answer where so many were asked', () => {
    const exchanges = [exchange(0, 50), exchange(0, 500)];
    const window = inWindow({ exchanges, window: { fromMs: 0, untilMs: 9_000 } }, true);
    expect(window).toMatchObject({ windowMs: 500, perSecond: { booked: 4 } });
  });
});

describe('the verdicts of a slice', () => {
  const nothing = { wrong: [], shown: [], notShown: [], checks: [] };
  const oversold = { kind: 'oversold', detail: 'sold 2 of 1' } as const;
  it('fail if one of its events did, and name the others', () => {
    const verdicts = verdictsOf(
      [nothing, { ...nothing, wrong: [oversold] }, { ...nothing, wrong: [oversold] }],
      {
        exempt: [],
      },
    );
    expect(of(verdicts, 'oversold')).toMatchObject({
      verdict: 'failed',
      detail: 'sold 2 of 1; and 1 more finding like it',
    });
    expect(of(verdicts, 'undersold')).toMatchObject({ verdict: 'passed' });
  });

  it('are expected of what nothing guards', () => {
    const verdicts = verdictsOf([{ ...nothing, shown: [oversold] }], { exempt: [] });
    expect(of(verdicts, 'oversold')).toMatchObject({ verdict: 'failed', isExpected: true });
  });

  it('leave out what the workload makes right', () => {
    const verdicts = verdictsOf([{ ...nothing, wrong: [oversold] }], { exempt: ['oversold'] });
    expect(of(verdicts, 'oversold')).toMatchObject({ verdict: 'passed' });
  });
});

describe('a slice of the no-op route', () => {
  const sent = {
    exchanges: [exchange(0, 1), exchange(1, 2)],
    strayAnswers: 0,
    counted: { sent: 2, answered: 2, timedOut: 0 },
  };
  const generator = { loop: 'open', offeredPerS: 500, achievedPerS: 500, lagMs: { p50: 1, p99: 2, max: 3 } };
  const judge = (changes: object) =>
    judgeSlice({ cell: cellOf([], { strategy: 'no-op' }), sent, generator, ...changes } as SliceFacts);

  it('is believed where everything was answered and the generator kept up', async () => {
    expect(await judge({})).toMatchObject({ void: null });
  });

  it('is not shown where the generator sent less than it was to, or was late itself', async () => {
    const slow = await judge({ generator: { ...generator, achievedPerS: 400 } });
    expect(slow.void).toBe('the generator sent 400 requests a second of the 500 that it was to send');
    expect(of(slow.checks, 'generator_kept_up')).toMatchObject({ verdict: 'not shown' });
    const late = await judge({ generator: { ...generator, lagMs: { p50: 1, p99: 80, max: 90 } } });
    expect(late.void).toBe('the generator itself was 80 ms late (p99)');
    // A closed loop waits for its answers, however late it hears of them.
    const closed = { ...generator, loop: 'closed', lagMs: { p50: 1, p99: 80, max: 90 } };
    expect((await judge({ generator: closed })).void).toBeNull();
  });

  it.each([
    [{ exchanges: [] }, /nothing was sent/],
    [{ exchanges: [exchange(0, null), exchange(0, null)] }, /nothing was answered/],
    [
      { strayAnswers: 1, counted: { sent: 2, answered: 3, timedOut: 0 } },
      /1 answer that no request was waiting/,
    ],
    [{ counted: { sent: 3, answered: 2, timedOut: 0 } }, /2 requests noted but 3 sent/],
    [{ counted: { sent: 2, answered: 1, timedOut: 0 } }, /2 answers noted but 1 received/],
  ])('is not believed where its books do not balance: %j', async (changes, reason) => {
    const judged = await judge({ sent: { ...sent, ...changes } });
    expect(judged.void).toMatch(reason);
    expect(of(judged.checks, 'accounted_for')).toMatchObject({ verdict: 'failed' });
  });
});

describe('requests with one key', () => {
  const ask = { operation: 'book', event: 0, quantity: 1, key: { number: 1, text: 'pair-1' } } as const;
  const asked = (startedAtMs: number, answer: Answer | null): Exchange => {
    return { ...exchange(startedAtMs, null), customer: 'run-x-pair-1', ask, answer };
  };
  const busy = { code: 'busy', status: 503 } as Answer;

  it('count as one, which has what the first of them to be told was told', () => {
    const [first, repeated] = [asked(1, answerOf('a', 'one')), asked(2, answerOf('a', 'two'))];
    expect(mergeRepeats([repeated, first])).toEqual([first]);
    expect(mergeRepeats([asked(1, busy), repeated])).toMatchObject([
      { startedAtMs: 6, answer: { ...repeated.answer, instanceIdInBody: null } },
    ]);
    // nginx repeats it where a replica goes away.
    expect(mergeRepeats([repeated])).toMatchObject([{ answer: { instanceIdInBody: null } }]);
    expect(mergeRepeats([asked(1, busy), asked(2, null)])).toMatchObject([{ answer: null }]);
    expect(mergeRepeats([asked(1, null), { ...asked(2, null), customer: 'run-y' }])).toHaveLength(2);
    const unknown = { ...answerOf('a', 'one'), code: 'unknown', status: 504, booking: null } as Answer;
    expect(mergeRepeats([asked(1, unknown), asked(2, unknown)])).toMatchObject([
      { hasManyIds: true, answer: { requestId: null } },
    ]);
  });

  it('are all told of one booking', () => {
    const alike = [asked(1, answerOf('a', 'one')), asked(2, answerOf('a', 'two')), asked(3, busy)];
    expect(repeatsAnsweredAlike({ exchanges: alike })).toMatchObject([{ verdict: 'passed' }]);
    const twice = [...alike, asked(4, answerOf('b', 'two'))];
    expect(repeatsAnsweredAlike({ exchanges: twice })).toMatchObject([
      { verdict: 'failed', detail: '1 key got several bookings (run-x-pair-1)' },
    ]);
    expect(repeatsAnsweredAlike({ exchanges: [exchange(1, 2)] })).toEqual([]);
  });
});

describe('the tables of a run', () => {
  const good = cellOf([900, 1_000, 1_100, 1_000, 1_000, 1_000]);
  const failed = cellOf([5_000], {
    strategy: 'optimistic',
    checks: [{ check: 'undersold', verdict: 'failed', detail: '3 of 4 sold' }],
  });
  const unguarded = cellOf([9_000], {
    strategy: 'no-lock',
    sells: 'too many',
    checks: [{ check: 'oversold', verdict: 'failed', detail: '9 of 4 sold', isExpected: true }],
  });

  it('have a rate with its interval, and none for what failed or oversold', () => {
    const text = labTables(runOf([good, failed, unguarded]), plain);
    expect(text).toMatch(/row-lock +1,000 \(900\.\.1,100\)/);
    expect(text).toMatch(/optimistic +FAILED$/m);
    expect(text).toMatch(/no-lock +OVERSOLD$/m);
    expect(text).not.toMatch(/5,000|9,000/);
    expect(text).toContain('optimistic, 2 replicas, 64 connections: 3 of 4 sold');
  });

  it('tell beside a fault who broke as its guard says, and by how much; that is no failure', () => {
    const beside = { fault: 'pause-holder' };
    const broke = cellOf([300], {
      ...beside,
      strategy: 'simple-lock',
      checks: [{ check: 'oversold', verdict: 'failed', detail: '3 of 1 sold', isExpected: true }],
    });
    broke.slices[0]!.strike = { atMs: 1, lastedMs: 2, held: { struck: 2, oversold: 2 }, oversold: 2 };
    const run = runOf([good, cellOf([400, 500, 600], beside), broke]);
    const [alone, struck] = labTables(run, plain).split('\n\nrush: ');
    expect(alone).toMatch(/^rush: booked a second, 64 connections\n/);
    expect(struck).toMatch(/^booked a second, 64 connections, beside pause-holder\n/);
    expect(struck).toMatch(/row-lock +500/);
    expect(struck).toMatch(/simple-lock +OVERSOLD 2$/m);
    expect(conclusion(run, plain)).toBe(
      'OK  exact in 2 of 3 guarded cells · broke in 1 beside a fault, as its guard says',
    );
  });

  it('end in one sentence', () => {
    expect(conclusion(runOf([good, unguarded]), plain)).toBe(
      'OK  exact in 1 of 1 guarded cells · oversold in 1 of 1 cells without a guard, as it must',
    );
    expect(conclusion(runOf([good, failed]), plain)).toBe(
      'FAIL  exact in 1 of 2 guarded cells · failed in 1',
    );
  });
});

function exchange(intendedAtMs: number, receivedAtMs: number | null): Exchange {
  const answer = receivedAtMs === null ? null : ({ status: 201, code: 'booked', receivedAtMs } as Answer);
  const ask = { operation: 'book', event: 0, quantity: 1 } as const;
  const names = { client: 1, buyer: 1, number: 1, customer: 'run-x' };
  // Sent a little later than it was to be: latencies do not run from there.
  return { ...names, ask, intendedAtMs, startedAtMs: intendedAtMs + 5, answer, free: null };
}

function of(verdicts: ReturnType<typeof verdictsOf>, check: string) {
  return verdicts.find((verdict) => verdict.check === check);
}

function answerOf(bookingId: string, instanceId: string): Answer {
  const booking = { bookingId };
  return { code: 'booked', status: 201, booking, instanceId, instanceIdInBody: 'one' } as Answer;
}
