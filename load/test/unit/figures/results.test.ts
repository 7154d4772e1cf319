import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { UsageError } from '@lastseat/infra/command-line';
import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { circumstances, mediansOf, type RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { addRun, assertWritable, readRuns, resultsFile } from '@lastseat/lab-frame/results/results-file.ts';
import { describe, expect, it, onTestFinished } from 'vitest';

import { figureTable, inWords, rangeTable, runsInWords } from '#src/figures/markdown.ts';
import { figureRanges, medianRange } from '#src/figures/ranges.ts';
import { fillBlocks } from '#src/figures/readme-blocks.ts';
import { CHARTS, READMES, upToDate } from '#src/figures/readmes.ts';

const root = new URL('../../../../', import.meta.url);

describe('a results file', () => {
  it('gets a line for each run and gives them back in their order', () => {
    const path = join(freshDir(), 'results', 'guards.jsonl');
    assertWritable(path);
    expect(readRuns(path)).toEqual([]);
    const runs = [runOf([figureOf({ value: 5 })]), runOf([figureOf({ value: 6 })])];
    for (const run of runs) addRun(path, run);
    expect(readRuns(path)).toEqual(runs);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
  });

  it('that cannot be written is found before anything is measured, in one line', () => {
    const dir = freshDir();
    // A file where a directory is needed: that stops root too.
    writeFileSync(join(dir, 'results'), '');
    const attempt = () => assertWritable(join(dir, 'results', 'guards.jsonl'));
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(
      /^.*guards.jsonl cannot be written \([A-Z]+\), and a full run adds a line to it: .*$/,
    );
  });

  it.each(['guards', 'locks'] as const)('of the repository, about %s, names no host and no path', (bench) => {
    for (const run of readRuns(resultsFile(bench))) {
      expect(run).toMatchObject({ format: 'lastseat-results/1', bench, figures: expect.any(Array) });
      expect(JSON.stringify(run)).not.toMatch(/"\/|[a-z]\/[a-z]+\/[a-z]/i);
    }
  });
});

it('a run tells its commit, and whether the tree was another one', () => {
  const { commit, dirty, machine } = circumstances();
  expect(commit).toBe(git('rev-parse', '--short=12', 'HEAD'));
  expect(typeof dirty).toBe(commit === null ? 'object' : 'boolean');
  expect(machine.cores).toBeGreaterThan(0);
});

describe('a range', () => {
  const runs = [
    runOf([figureOf({ value: 5.5, interval: [5.2, 6], verdict: 'met' })], 940),
    runOf([figureOf({ value: 5, interval: [4.1, 5.6], verdict: 'undecided' })], 1_218),
    runOf([figureOf({ value: 6, interval: [5.9, 7], verdict: 'met' }), figureOf({ name: 'new' })], 1_100),
  ];

  it('leaves out runs that were judged by another target', () => {
    const before = runOf([figureOf({ target: '>= 9', value: 8, verdict: 'missed' })]);
    expect(figureRanges([before, ...runs])[0]).toMatchObject({ runs: 3, verdicts: { missed: 0 } });
  });

  it('of a figure goes over the values and the intervals of all runs', () => {
    expect(figureRanges(runs)[0]).toEqual({
      name: 'speed',
      target: '>= 5',
      runs: 3,
      values: [5, 6],
      interval: [4.1, 7],
      verdicts: { met: 2, undecided: 1, missed: 0 },
    });
  });

  it('counts only the runs that have the figure, and leaves out what the newest has not', () => {
    expect(figureRanges(runs).map(({ name, runs }) => [name, runs])).toEqual([
      ['speed', 3],
      ['new', 1],
    ]);
    expect(figureRanges(runs.toReversed()).map(({ name }) => name)).toEqual(['speed']);
  });

  it('of a median goes over the runs that measured it', () => {
    expect(medianRange(runs, 'bookings/s', 'row-lock', '64 connections')).toEqual([940, 1_218]);
    expect(medianRange(runs, 'bookings/s', 'row-lock', '9 connections')).toBeNull();
    expect(inWords([940, 1_218])).toBe('940 to 1,220');
    expect(inWords([0.05123, 0.05124])).toBe('0.0512');
  });

  it('has a line in a table for each that was measured, and none for the others', () => {
    const subjects = ['row-lock', 'redlock'].map((of) => ({ title: of, of }));
    const column = { title: 'bookings/s', what: 'bookings/s', at: '64 connections' };
    const lines = rangeTable(runs, '', subjects, [column]);
    expect(lines.slice(2)).toEqual(['| row-lock | 940 to 1,220 |']);
  });

  it('claims as met only what every run met', () => {
    const [, , line] = figureTable(figureRanges(runs).slice(0, 1));
    expect(line).toBe('| speed | `>= 5` | 5 to 6 | 4.1 to 7 | met in 2 of 3, undecided in 1 of 3 |');
    expect(figureTable(figureRanges(runs.slice(0, 1)))[2]).toMatch(/\| met \|$/);
  });

  it('says of how many runs it is, and on what', () => {
    expect(runsInWords(runs)).toEqual(['3 full runs, on 2026-11-23, on 2 cores (some CPU, native).']);
  });
});

it('medians leave out what has no value', () => {
  const at = { what: 'p99 ms', of: 'row-lock', at: '8 connections' };
  expect(
    mediansOf([
      { ...at, value: 3.123456 },
      { ...at, value: null },
      { ...at, value: Number.NaN },
      { ...at, of: 'no-op', value: undefined },
    ]),
  ).toEqual({ 'p99 ms': { 'row-lock': { '8 connections': 3.123 } } });
});

describe('a block of a README', () => {
  const text = 'before\n<!-- ranges: guards speed -->\nold\n<!-- end of ranges -->\nafter\n';

  it('is replaced by what the runs say, again and again with the same result', () => {
    const filled = fillBlocks(text, () => ['| new |']);
    expect(filled).toBe(
      'before\n<!-- ranges: guards speed -->\n\n| new |\n\n<!-- end of ranges -->\nafter\n',
    );
    expect(fillBlocks(filled, () => ['| new |'])).toBe(filled);
  });

  it('stays as it is while there is no run', () => {
    expect(fillBlocks(text, () => null)).toBe(text);
  });

  it.each(READMES)('in %s says what the results files say: otherwise run `make figures`', (name) => {
    const text = readFileSync(new URL(name, root), 'utf8');
    expect(upToDate(text)).toBe(text);
  });

  it('of a name that nothing makes is an error', () => {
    const unknown = text.replace('guards speed', 'scaling nothing');
    expect(() => upToDate(unknown)).toThrow('no block is called "scaling nothing"');
  });
});

it.each(Object.entries(CHARTS))(
  '%s is drawn from the results files: otherwise run `make figures`',
  (name, draw) => {
    expect(readFileSync(new URL(name, root), 'utf8')).toBe(draw());
  },
);

function figureOf(rest: Partial<Figure>): Figure {
  return {
    name: 'speed',
    target: '>= 5',
    value: 5,
    interval: [5, 6],
    slices: 9,
    verdict: 'met',
    ...rest,
  };
}

function runOf(figures: Figure[], bookingsPerS = 1_000): RecordedRun {
  return {
    format: 'lastseat-results/1',
    bench: 'guards',
    startedAt: '2026-11-23T22:36:46.000Z',
    commit: '0123456789ab',
    dirty: false,
    machine: { cores: 2, memoryGb: 4, cpu: 'some CPU', platform: 'linux x64', node: 'v26.0.0' },
    runtime: 'native',
    servers: { postgres: '18.1' },
    void: 0,
    figures,
    medians: { 'bookings/s': { 'row-lock': { '64 connections': bookingsPerS } } },
  };
}

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lastseat-results-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, { cwd: fileURLToPath(root), encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}
