import { STRATEGY_NAMES } from '@lastseat/booking/contract';
import { describe, expect, it } from 'vitest';

import { readOptions } from '#src/options.ts';
import { scenarios, type ScenarioWishes } from '#src/scenario.ts';

describe('options', () => {
  it('come from flags and from the environment, flags first', () => {
    const options = readOptions(['--tickets', '3'], { TICKETS: '5', BUYERS: '50', RACE_WINDOW_MS: '7' });
    expect(options).toMatchObject({ tickets: 3, buyers: 50, raceWindowMs: 7 });
  });

  it('given twice count as they were given last', () => {
    expect(readOptions(['--tickets=3', '--url=a', '--tickets=4', '--database-url=b'], {})).toMatchObject({
      tickets: 4,
    });
  });

  it('treat an empty variable as absent: make passes what was not set as nothing', () => {
    expect(readOptions([], { TICKETS: '', STRATEGY: '', JSON: '' })).toMatchObject({
      tickets: undefined,
      guards: [],
      json: null,
    });
  });

  it.each([
    [['--strategy', 'row-lock,optimistic'], {}],
    [['--strategy', 'row-lock', '--strategy', 'optimistic', '--strategy', 'row-lock'], {}],
    [[], { STRATEGY: ' row-lock, optimistic ' }],
  ])('name strategies by comma, repeated or in the environment: %j %j', (argv, env) => {
    expect(readOptions(argv, env).guards).toEqual(['row-lock', 'optimistic']);
  });

  it('know all strategies by one word', () => {
    const { guards, allGuards } = readOptions(['--strategy', 'all'], {});
    expect(guards.toSorted()).toEqual(STRATEGY_NAMES.toSorted());
    expect(allGuards).toBe(true);
  });

  it.each([
    [['--json'], {}, '-'],
    [['--json=report.json'], {}, 'report.json'],
    [[], { JSON: '1' }, '-'],
    [[], { JSON: 'report.json' }, 'report.json'],
    [[], { JSON: '0' }, null],
  ])('write JSON where they are told: %j %j', (argv, env, json) => {
    expect(readOptions(argv, env).json).toBe(json);
  });

  it.each([
    [['--tickets', 'abc'], '--tickets abc: a whole number from 1 to 1000000'],
    [['--tickets=-1'], '--tickets -1: a whole number from 1 to 1000000'],
    [['--buyers', '1e3'], '--buyers 1e3: a whole number from 1 to 100000'],
    [['--buyers', '100001'], '--buyers 100001: a whole number from 1 to 100000'],
    [['--strategy', 'luck'], /^--strategy luck: one or several of all, no-lock, with-lock, simple-lock/],
    [['--speed', '3'], /^Unknown option '--speed': the options are --tickets --buyers/],
    [['fast'], /^Unexpected argument 'fast': the options are/],
    [['--url', 'http://127.0.0.1'], /go together/],
    [['--replicas', '3'], /--replicas goes with --url/],
  ])('that are wrong are refused in one line: %j', (argv, message) => {
    expect(() => readOptions(argv, {})).toThrow(message);
    expect(() => readOptions(argv, {})).toThrow(/^[^\n]*$/);
  });

  it('that are wrong in the environment are named as they stand there', () => {
    expect(() => readOptions([], { RACE_WINDOW_MS: 'long' })).toThrow(
      'RACE_WINDOW_MS=long: a whole number from 0 to 5000',
    );
  });

  it('leave the REPLICAS of make up alone', () => {
    expect(readOptions([], { REPLICAS: '5', DATABASE_URL: 'postgres://elsewhere/db' })).toMatchObject({
      replicas: undefined,
      databaseUrl: undefined,
    });
  });
});

describe('scenarios', () => {
  it('are two crowds, each without the lock and with it, unless told otherwise', () => {
    expect(brief({})).toEqual([
      'no-lock 100/100 for 1',
      'with-lock 100/100 for 1',
      'no-lock 1000/100 for 100',
      'with-lock 1000/100 for 100',
    ]);
  });

  it('are one crowd when one is described', () => {
    expect(brief({ tickets: 5, buyers: 30 })).toEqual(['no-lock 30/30 for 5', 'with-lock 30/30 for 5']);
    expect(brief({ tickets: 50, guards: ['row-lock'] })).toEqual(['row-lock 500/100 for 50']);
    expect(brief({ buyers: 7, guards: ['row-lock'] })).toEqual(['row-lock 7/7 for 1']);
  });

  it('refuse more connections than buyers', () => {
    expect(() => brief({ buyers: 10, connections: 11 })).toThrow(
      /--connections 11: at most one for each of 10 buyers/,
    );
  });

  it('hold the race window equally long for every guard, and shorter for many tickets', () => {
    const windows = scenarios({ guards: [] }).map(({ crowd }) => crowd.raceWindowMs);
    expect(windows).toEqual([50, 50, 10, 10]);
    expect(scenarios({ guards: [], tickets: 100_000 })[0]?.crowd.raceWindowMs).toBe(1);
    expect(scenarios({ guards: [], raceWindowMs: 0 })[0]?.crowd.raceWindowMs).toBe(0);
  });
});

function brief(wishes: Partial<ScenarioWishes>): string[] {
  return scenarios({ guards: [], ...wishes }).map(
    ({ guard, crowd }) => `${guard.name} ${crowd.buyers}/${crowd.connections} for ${crowd.tickets}`,
  );
}
