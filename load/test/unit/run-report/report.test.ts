import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { STRATEGY_NAMES } from '@lastseat/booking/contract';
import { describe, expect, it } from 'vitest';

import { writeHistory } from '#src/history/write-history.ts';
import { keepRace } from '#src/race/keep-race.ts';
import { checksOf, figuresOf } from '#src/run-report/figures.ts';
import { html, jsonInPage } from '#src/run-report/html.ts';
import { latenciesOf } from '#src/run-report/latency.ts';
import { MOST_BYTES, reportHtml } from '#src/run-report/report-html.ts';
import { reportMarkdown } from '#src/run-report/report-markdown.ts';
import { writeReport } from '#src/run-report/write-report.ts';
import type { LabRun } from '#src/runs/run.ts';
import { verdictOfRun } from '#src/runs/words.ts';

import { historyOfRun, honestRun } from '../honest-run.ts';
import { crowdedRace, unguardedRace } from '../race/sample-race.ts';
import { sampleRun } from './sample-run.ts';

/** What can be read, without the marks around it. */
function wordsOf(page: string): string {
  return page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
}

function cellOf(run: LabRun, strategy: string, replicas: number, connections: number) {
  return figuresOf(run).find(
    (cell) => cell.strategy === strategy && cell.replicas === replicas && cell.connections === connections,
  )!;
}

describe('the figures of a report', () => {
  it('are medians of the slices, with their interval and their share of the ceiling', () => {
    const run = sampleRun();
    const cell = cellOf(run, 'fenced-lock', 1, 64);
    // 1,148 to 1,198 in steps of 10.
    expect(cell).toMatchObject({ rate: 1_170, interval: [1_148, 1_198], void: null, verdict: 'exact' });
    expect(cell.ofCeiling).toBeCloseTo(1_170 / 19_700, 3);
    expect(cellOf(run, 'fenced-lock', 4, 64).ofFewest).toBeCloseTo(1_020 / 1_170, 2);
  });

  it('are none where one slice cannot be believed', () => {
    const run = sampleRun();
    const cell = run.cells.find(({ strategy }) => strategy === 'atomic-update')!;
    cell.slices[3]!.void = '1 ticket too many';
    cell.slices[3]!.checks = [{ check: 'oversold', verdict: 'failed', detail: '1 ticket too many' }];
    expect(cellOf(run, 'atomic-update', 1, 8)).toMatchObject({
      rate: null,
      void: '1 ticket too many',
      verdict: 'failed',
      cpu: null,
    });
    expect(verdictOfRun(run)).toMatchObject({
      sign: 'bad',
      sentence: expect.stringContaining('failed in 1'),
    });
    expect(latenciesOf(run).filter(({ strategy }) => strategy === 'no-lock')).toEqual([]);
  });

  it('begin with a sentence that says whether the run can be believed', () => {
    expect(verdictOfRun(sampleRun())).toEqual({
      sign: 'good',
      sentence: 'exact in 12 of 12 guarded cells · oversold in 6 of 6 cells without a guard, as it must',
    });
    const cut = sampleRun();
    cut.isComplete = false;
    cut.cells.at(-2)!.slices = [];
    expect(verdictOfRun(cut)).toEqual({
      sign: 'open',
      sentence:
        'exact in 11 of 12 guarded cells · oversold in 6 of 6 cells without a guard, as it must · not shown in 1 · interrupted before its end',
    });
  });

  it('count each check over all slices, and say where it failed', () => {
    const [oversold, linearizability] = checksOf(sampleRun());
    expect(oversold).toMatchObject({ check: 'oversold', passed: 108, failed: 36, expected: 36, notShown: 0 });
    expect(oversold?.details[0]).toMatch(/^no-lock, 1 replica, 8 connections, slice 1: 1,234 tickets sold/);
    expect(linearizability).toMatchObject({ passed: 108, failed: 0, notShown: 36 });
  });

  it('have latencies of all slices together', () => {
    const booked = latenciesOf(sampleRun()).find(
      ({ strategy, outcome, connections }) =>
        strategy === 'fenced-lock' && outcome === 'booked' && connections === 64,
    )!;
    expect(booked.count).toBe(6 * 900);
    expect(booked.p50).toBeCloseTo(4.5, 1);
    expect(booked.max).toBeCloseTo(9, 1);
    const [nines, ms] = booked.curve.at(-1)!;
    // As far as 5,400 answers reach: not to the one in ten thousand.
    expect(nines).toBeLessThan(Math.log10(5_400));
    expect(ms).toBeGreaterThan(booked.p99);
  });
});

describe('the page', () => {
  it('needs nothing but itself', () => {
    const page = reportHtml([sampleRun()]);
    expect(page).not.toMatch(/(?:src|href)="(?!#|data:|run\.json|history-)/);
    expect(page).not.toMatch(/@import|url\((?!#)/);
    expect(page).toContain("default-src 'none'");
  });

  it.each([
    ['with the default settings', {}, 3],
    ['of every strategy', { strategies: [...STRATEGY_NAMES], connections: [64] }, STRATEGY_NAMES.length],
    [
      'of every strategy with many numbers of replicas and connections, and a fault',
      { strategies: [...STRATEGY_NAMES], replicas: [1, 2, 4, 8], connections: [8, 64, 512] },
      2 * STRATEGY_NAMES.length,
    ],
  ])('has at most 330 KB with all that it draws, %s', (_what, settings, raceCount) => {
    const run = sampleRun(settings);
    const races = Array.from({ length: raceCount }, () => crowdedRace());
    const page = reportHtml([run, { ...run, id: 'before' }], { races });
    expect(Buffer.byteLength(page)).toBeLessThanOrEqual(MOST_BYTES);
    // Of those that do not fit it says where they are, and some are always there.
    const drawn = page.match(/data-race="/g)!.length;
    expect(drawn).toBeGreaterThan(0);
    expect(page.includes(`${raceCount - drawn} more race`)).toBe(drawn < raceCount);
    expect(page.includes('href="races.html"')).toBe(drawn < raceCount);
  });

  it('escapes what others have written', () => {
    const page = reportHtml([{ ...sampleRun(), name: '<script>alert(1)</script>' }]);
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).toContain('a CPU &lt;&amp; more&gt;');
    expect(jsonInPage({ a: '</script>' }).html).not.toContain('</script>');
    expect(html`<p title="${'"'}">${['<', 1, null]}</p>`.html).toBe('<p title="&quot;">&lt;1</p>');
  });

  it('tells the limits, what a booking sends, and how much of the machine the harness took', () => {
    const text = wordsOf(reportHtml([sampleRun()]));
    expect(text).toContain('CPUs of each container nginx 1, replicas 1, redis 1, postgres 2');
    expect(text).toContain('memory of each container nginx 64 MB, replicas 512 MB');
    expect(text).toContain('fenced-lock 5.00 5.00 0.11 0.05');
    expect(text).toContain('The load generator took at most 0.30 of 2 cores (15 %)');
    expect(text).toContain('Its own timers were late by at most 1.00 ms (p99 of a slice), once by 3.00 ms.');
    expect(text).toContain('The load is a closed loop');
    expect(text).toContain('fenced-lock, 1 replica, 8 connections - - 1.00 3.00 0');
    const native = { ...sampleRun(), limits: {}, memoryLimitsMb: {}, roundTrips: [] };
    expect(wordsOf(reportHtml([native]))).toContain('CPUs of each container no limit');
    expect(reportHtml([native])).not.toContain('id="round-trips"');
  });

  it('tells of an open loop what was offered and what was sent, and how unknown requests were settled', () => {
    const run = sampleRun({ arrivals: { perS: 500, pattern: 'poisson' } });
    const cell = run.cells.find(({ strategy }) => strategy === 'fenced-lock')!;
    for (const slice of cell.slices)
      Object.assign(slice.generator, { loop: 'open', offeredPerS: 500.4, achievedPerS: 498.8 });
    cell.slices[0]!.requests.unknown = 3;
    cell.slices[0]!.settled = { unknown: 3, done: 2, notDone: 1, open: 0, lookedUp: 1 };
    for (const text of [wordsOf(reportHtml([run])), reportMarkdown(run).replaceAll(' |', '')]) {
      expect(text).toContain('an open loop: 500 requests a second, answered or not (poisson)');
      expect(text).toContain('fenced-lock, 1 replica, 8 connections 500 499 1.00 3.00 3');
      expect(text).toContain(
        '3 requests ended unknown, and were looked for in Postgres: 2 were done, 1 was not done; GET /requests said the same of 1.',
      );
    }
  });

  it('gives the reason of each hatched cell, and the command that repeats the run', () => {
    const page = reportHtml([sampleRun()]);
    expect(page.match(/class="void"/g)).toHaveLength(6);
    expect(page).toContain(
      '<li>no-lock, 1 replica: 1,234 tickets sold though there were only 1,000: 234 too many</li>',
    );
    expect(page).toContain('make lab STRATEGY=fenced-lock,atomic-update,no-lock');
    expect(page).toContain('href="history-4-64.jsonl"');
  });
});

describe('a cell beside a fault', () => {
  const run = sampleRun({ connections: [64], replicas: [2] });
  const struck = run.cells
    .filter(({ strategy }) => strategy === 'fenced-lock')
    .map((cell) => Object.assign({}, cell, { fault: 'kill-holder' }));
  const faulty = { ...run, cells: [...run.cells, ...struck] };

  it('has a table of its own, and a share of what its guard does undisturbed', () => {
    const page = reportHtml([faulty]);
    expect(page).toContain('data-cell="fenced-lock 2 64 kill-holder"');
    expect(wordsOf(page)).toContain('64 connections, beside kill-holder 2 replicas fenced-lock');
    expect(wordsOf(page)).toContain('Beside a fault, which strikes once');
    expect(wordsOf(reportHtml([run]))).not.toContain('Beside a fault');
    const markdown = reportMarkdown(faulty);
    expect(markdown).toContain('## Answers a second, 64 connections, beside kill-holder');
    expect(markdown).toMatch(/\| fenced-lock \| [\d,]+ \([^|]*, 1\.00 of undisturbed\) \|/);
  });
});

it('is written beside run.json, and tells from the histories who won', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-report-'));
  try {
    {
      using history = writeHistory(join(folder, 'history-2-8.jsonl'));
      const run = historyOfRun(honestRun());
      for (const operation of run) history.append(operation);
    }
    const path = await writeReport({ folder, run: sampleRun() });
    const text = readFileSync(path, 'utf8').replaceAll(/\s+/g, ' ');
    const [, winners = ''] = /<h2 id="winners">(.*?)<\/section>/.exec(text) ?? [];
    expect(wordsOf(winners)).toContain('replica-1 replica-2 fenced-lock, 2 replicas, 8 connections 2 1 ');
    expect(readFileSync(join(folder, 'report.md'), 'utf8')).toContain('# lab: rush');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('has a page of all races beside it where not all of them fit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-report-'));
  try {
    const all = Array.from({ length: 12 }, (_, index) => `guard-${index}`);
    for (const strategy of all) keepRace(folder, { ...crowdedRace(), strategy });
    const page = readFileSync(await writeReport({ folder, run: sampleRun() }), 'utf8');
    expect(page).toContain('href="races.html"');
    const races = readFileSync(join(folder, 'races.html'), 'utf8');
    expect(races.match(/data-race="/g)).toHaveLength(all.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('calls replicas by the names of their parts, in the table of who won and on the lanes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lastseat-report-'));
  try {
    {
      using history = writeHistory(join(folder, 'history-2-8.jsonl'));
      for (const operation of historyOfRun(honestRun())) history.append(operation);
    }
    const race = unguardedRace();
    const [ada, bob] = race.buyers;
    keepRace(folder, {
      ...race,
      buyers: [
        { ...ada!, instance: 'f00dcafe-1' },
        { ...bob!, instance: null },
      ],
    });
    const replicaNames = { 'replica-1': 'booking-7', f00dcafe: 'booking-8' };
    const path = await writeReport({ folder, run: { ...sampleRun(), replicaNames } });
    const text = readFileSync(path, 'utf8');
    const [, winners = ''] = /<h2 id="winners">(.*?)<\/section>/s.exec(text) ?? [];
    expect(wordsOf(winners)).toContain('booking-7 replica-2 ');
    expect([...text.matchAll(/class="replica"[^>]*>([^<]*)</g)].map(([, name]) => name)).toEqual([
      'booking-8',
      'nobody answered',
      'free, by rows',
    ]);
    expect(text).not.toContain('f00dcafe');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('the same as Markdown, for a pull request', () => {
  const markdown = reportMarkdown(sampleRun());
  expect(markdown).toContain('**✓ exact in 12 of 12 guarded cells');
  expect(markdown).toContain('- ✓ oversold: passed (108 passed, 36 failed as expected of 144 slices)');
  expect(markdown).toMatch(/\| fenced-lock \| 1,170 \(1,148 to 1,198, 0\.06 of the no-op route\) \|/);
  expect(markdown).toMatch(/\| no-lock \| \*oversold\* \| \*oversold\* \| \*oversold\* \|/);
  expect(markdown).toContain('| fenced-lock | 5.00 | 5.00 | 0.11 | 0.05 |');
  expect(markdown).toContain('$ make lab STRATEGY=');
});
