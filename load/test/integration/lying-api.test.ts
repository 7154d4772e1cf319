import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { createDatabase, type Database } from '@lastseat/infra/servers';
import { plain } from '@lastseat/lab-frame/paint.ts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

import type { CheckResult } from '#src/checks/check.ts';
import type { Operation } from '#src/history/operation.ts';
import { readHistory } from '#src/history/read-history.ts';
import type { SettledCounts } from '#src/history/settled.ts';
import { makeRuns, type Listener } from '#src/make-runs.ts';
import { readOptions } from '#src/options.ts';

import { startLyingApi, type Lie } from './lying-api.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const historyMain = fileURLToPath(new URL('../../src/history/main.ts', import.meta.url));
const migrate = fileURLToPath(new URL('../../../services/booking/src/migrate.ts', import.meta.url));
const execute = promisify(execFile);

let database: Database;

beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'), 'load');
  // The service's own tables: what the harness reads must be what the service writes.
  await execute(process.execPath, [migrate], { env: { ...process.env, DATABASE_URL: database.url } });
});
afterAll(() => database[Symbol.asyncDispose]());

/** Each lie is to be found every time: LYING_RUNS=200 looks for it so often, some at a time, as they mostly wait. */
const RUNS = Number(process.env['LYING_RUNS'] ?? 1);
const AT_A_TIME = 4;
// What the whole suite gives to each test.
const TIMEOUT_MS = RUNS * 50_000;

async function everyTime(play: () => Promise<void>): Promise<void> {
  for (let first = 1; first <= RUNS; first += AT_A_TIME) {
    const length = Math.min(AT_A_TIME, RUNS - first + 1);
    await Promise.all(Array.from({ length }, play));
  }
}

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'lastseat-load-'));
});
afterAll(() => rmSync(home, { recursive: true }));

describe.concurrent('make load fails, with the reason, against an API that', { timeout: TIMEOUT_MS }, () => {
  it.each<[lie: Lie, findings: string[], reason: RegExp, options?: string[]]>([
    [
      'answers 201 without writing',
      ['undersold', 'booked_without_row', 'not_linearizable'],
      /40 buyers got a 201 for a booking/,
    ],
    ['writes and drops the reply', ['ended_unknown'], /5 of 40 requests ended unknown: 5 were cut off/],
    [
      'oversells',
      ['oversold', 'counter_differs', 'not_linearizable'],
      /40 tickets sold though there were only 5: 35 too many/,
    ],
    [
      'keeps the last ticket',
      ['undersold', 'not_linearizable'],
      /4 of 5 tickets sold: 1 left while 36 buyers were told sold_out/,
    ],
    [
      'gives one booking to two buyers',
      ['same_booking_twice', 'row_differs'],
      /1 booking id given to more than one buyer/,
    ],
    [
      'writes two rows for one request',
      ['oversold', 'counter_differs', 'booked_twice', 'not_linearizable'],
      /5 buyers asked for one booking/,
    ],
    [
      'says busy and books',
      ['row_without_buyer', 'not_linearizable'],
      /5 bookings in Postgres that nobody was given .* was told busy/,
    ],
    ['is one instance', ['one_instance', 'losers_on_one_instance'], /answered by 1 of 2 replicas/],
    ['signs with another name', ['row_differs', 'instance_unnamed'], /instance replica-9 became replica-/],
    ['hangs', ['ended_unknown'], /40 of 40 requests ended unknown: 40 timed out/, ['--timeout=1']],
    ['answers 500', ['ended_unknown'], /40 of 40 requests ended unknown: 40 were answered with http_500/],
    ['is busy for ever', ['undersold'], /0 of 5 tickets sold: 5 left while 40 buyers gave up as busy/],
    [
      'says sold_out and books later',
      ['changed_afterwards'],
      /1 booking more than when the last buyer was answered .*buyer-\d+/,
      ['--repeat=2'],
    ],
    [
      'writes a second row later',
      ['changed_afterwards'],
      /5 bookings more than when the last buyer was/,
      ['--repeat=2'],
    ],
    [
      'answers 504 and books later',
      ['oversold', 'counter_differs', 'not_linearizable'],
      /6 tickets sold though there were only 5/,
      ['--max-unknown=1'],
    ],
    [
      'books one ticket of two',
      ['row_differs', 'not_linearizable'],
      /6 bookings in Postgres differ from what the buyer asked for or was told .*quantity 2 became 1/,
      ['--quantity=2', '--tickets=6'],
    ],
    ['names another event', ['row_differs'], /event \d+ became \d+/],
    [
      'refuses the first 60',
      ['refused_too_early', 'not_linearizable'],
      / buyers were told sold_out while there were tickets left/,
      ['--buyers=100', '--connections=10'],
    ],
    [
      'books, says unknown, and finds it not',
      ['look_up_differs'],
      /1 request of unknown end looked up in vain/,
      ['--max-unknown=1'],
    ],
    ['names no request', ['row_differs', 'request_unnamed'], /40 answers without an x-request-id/],
    [
      'takes no lock',
      ['strategy_differs', 'token_missing'],
      /5 bookings made with another guard than fenced-lock \(no-lock\)/,
      ['--strategy=with-lock'],
    ],
    ['gives no tokens', ['token_missing'], /5 bookings under fenced-lock have no/, ['--strategy=with-lock']],
    ['gives falling tokens', ['tokens_fall'], /token \d+ after \d+/, ['--strategy=with-lock']],
    [
      'is busy once it is sold out',
      ['never_sold_out'],
      /all 35 losers gave up as busy: nobody was told sold_out/,
    ],
    ['is one process', ['not_in_postgres'], /twin-2 answered .* Postgres has no connection of that name/],
    ['leaves a replica out', ['replica_left_out'], /replica-3 is up and answered nobody/],
    ['starts over in mid-sale', ['event_reset'], /event \d+ was reset meanwhile/],
    ['gets each request twice', ['received_more'], /38 booking requests more than the 40 of this run/],
    [
      'sells to another run',
      ['another_run', 'not_linearizable'],
      /1 booking of another run .*run-0badcafe-buyer-000001/,
    ],
  ])('%s', (lie, findings, reason, options = []) =>
    everyTime(async () => {
      const { code, report } = await load(lie, options);
      const [run] = report.runs;
      expect(run.findings.map(({ kind }) => kind)).toEqual(findings);
      expect(run.findings.map(({ detail }) => detail).join('\n')).toMatch(reason);
      const failed = run.checks.filter(({ verdict }) => verdict === 'failed');
      expect(failed.flatMap(({ details }) => details).toSorted()).toEqual(
        run.findings.map(({ detail }) => detail).toSorted(),
      );
      expect(code).toBe(1);
    }),
  );
});

describe.concurrent('make load passes against an API that', { timeout: TIMEOUT_MS }, () => {
  it('is honest', () =>
    everyTime(async () => {
      const { code, report } = await load('none');
      const [run] = report.runs;
      expect(run.findings).toEqual([]);
      expect(run).toMatchObject({
        requests: { started: 40, answered: 40, unanswered: 0, retries: 0 },
        answers: { booked: 5, sold_out: 35 },
        tickets: { capacity: 5, available: 0, expected: 5, confirmed: 5, oversold: 0, undersold: 0 },
        instances: { contended: ['replica-1', 'replica-2'], requests: { 'replica-1': 20, 'replica-2': 20 } },
        verdict: { word: 'EXACT' },
      });
      expect(code).toBe(0);
    }));

  it('is busy at first: who is sent away asks again', () =>
    everyTime(async () => {
      const { code, report } = await load('is busy at first');
      const [run] = report.runs;
      expect(run).toMatchObject({
        requests: { started: 80, answered: 80, retries: 40 },
        answers: { booked: 5, sold_out: 35, busy: 40 },
        findings: [],
      });
      expect(code).toBe(0);
    }));

  it('books under the lock that was asked for, with rising tokens', () =>
    everyTime(async () => {
      const { code, report } = await load('none', ['--strategy=with-lock']);
      expect(report.runs[0]).toMatchObject({ findings: [], verdict: { word: 'EXACT' } });
      expect(code).toBe(0);
    }));

  it('loses a replica in mid-sale: it was a process of its own while it lived', () =>
    everyTime(async () => {
      // Two at a time, so that there is a middle.
      const { code, report } = await load('loses a replica in mid-sale', ['--tickets=30', '--connections=2']);
      expect(report.runs[0]).toMatchObject({ findings: [], instances: { won: ['dying', 'lasting'] } });
      expect(code).toBe(0);
    }));

  it('stands behind a proxy that did not know, as often as was allowed', () =>
    everyTime(async () => {
      const { code, report } = await load('answers as nginx, and does not know', ['--max-unknown=1']);
      expect(report.runs[0]).toMatchObject({
        findings: [],
        requests: { unknown: 1 },
        instances: { contended: ['replica-1', 'replica-2'] },
      });
      expect(code).toBe(0);
    }));

  it('lost replies, as many as were allowed to get lost', () =>
    everyTime(async () => {
      const { code, report } = await load('writes and drops the reply', ['--max-unknown', '5']);
      expect(report.runs[0]).toMatchObject({ requests: { unanswered: 5 }, findings: [] });
      expect(code).toBe(0);
    }));
});

describe.concurrent(
  'make load neither passes nor fails where there was no contention',
  { timeout: TIMEOUT_MS },
  () => {
    it.each([
      ['the buyers come one by one', ['--connections=1'], /the buyers came one by one/],
      ['there are only a few buyers', ['--buyers=19'], /only 19 buyers contended/],
      [
        'nothing guards the seats, and there is no race',
        ['--strategy=no-lock', '--connections=1'],
        /none was oversold: the buyers came one by one/,
      ],
    ])('because %s', (_why, options, reason) =>
      everyTime(async () => {
        const { code, report } = await load('none', options);
        const [run] = report.runs;
        expect(run).toMatchObject({ good: false, verdict: { word: 'NOT SHOWN' }, findings: [] });
        expect(run.notShown[0]?.detail).toMatch(reason);
        expect(code).toBe(3);
      }),
    );
  },
);

describe.concurrent('a run without a lock', { timeout: TIMEOUT_MS }, () => {
  it('passes when it oversells, and says so', () =>
    everyTime(async () => {
      const { code, report } = await load('oversells', ['--strategy', 'no-lock']);
      expect(report.runs[0]).toMatchObject({ verdict: { word: 'OVERSOLD' }, tickets: { oversold: 35 } });
      expect(code).toBe(0);
    }));

  it('fails when it does not: nothing was shown', () =>
    everyTime(async () => {
      const { code, report } = await load('none', ['--strategy', 'no-lock']);
      expect(report.runs[0].findings.map(({ kind }) => kind)).toEqual(['oversell_not_shown']);
      expect(code).toBe(1);
    }));
});

it('says it in words, too', async () => {
  await using api = await startLyingApi(database.url, 'oversells');
  const options = guarded([...crowdAt(api.url), `--history=${join(home, 'words.jsonl')}`]);
  const { code, stdout } = await outcomeOf(execute(process.execPath, [main, ...options]));
  expect(stdout).toMatch(/FAILED +40 tickets sold though there were only 5: 35 too many\./);
  expect(stdout).toMatch(/FAIL +1 of 1 run went wrong/);
  expect(code).toBe(1);
});

describe.concurrent('the history of a run', () => {
  it('has every request with its times and its answer, from the first ticket to what Postgres holds', async () => {
    const { report, history } = await load('none');
    const [first] = history;
    const last = history.at(-1);
    const books = history.slice(1, -1);
    expect([first?.operation, first?.free, last?.operation, last?.free]).toEqual(['create', 5, 'count', 0]);
    expect(Map.groupBy(books, ({ answer }) => answer).get('booked')).toHaveLength(5);
    expect(books).toHaveLength(40);
    for (const { operation, startMs, endMs, startedAt, instance, request } of books) {
      expect(operation).toBe('book');
      expect(startMs).toBeGreaterThanOrEqual(first?.endMs ?? Infinity);
      expect(endMs).toBeGreaterThan(startMs);
      expect(endMs).toBeLessThanOrEqual(last?.startMs ?? 0);
      expect(Math.abs(startedAt - Date.now())).toBeLessThan(600_000);
      expect(instance).toMatch(/^replica-[12]$/);
      expect(request).toMatch(/^[\da-f-]{36}$/);
    }
    expect(report.runs[0].settled).toMatchObject({ unknown: 0 });
  });

  it('settles what was of unknown end, and the report counts how', async () => {
    const { report, history } = await load('writes and drops the reply', ['--max-unknown=5']);
    const unknown = history.filter(({ outcome }) => outcome === 'unknown');
    expect(unknown.map(({ settled, booking }) => [settled, typeof booking])).toEqual(
      Array.from({ length: 5 }, () => ['done', 'string']),
    );
    expect(report.runs[0].settled).toEqual({ unknown: 5, done: 5, notDone: 0, open: 0, lookedUp: 0 });
  });

  it('can be judged and handed to others by a command of its own', async () => {
    const { historyPath: honest } = await load('none');
    const { historyPath: lying } = await load('oversells');
    expect(await historyCommand('--check', honest)).toMatchObject({ code: 0 });
    expect(await historyCommand('--check', lying)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^event \d+: not linearizable: no order of the operations explains that run-/,
      ),
    });
    const edn = await historyCommand('--edn', honest);
    // An invocation and a completion of each of 42 operations.
    expect(edn.stdout.match(/^\{:index \d+, .*\}$/gm)).toHaveLength(84);
    expect(await historyCommand('--check', join(home, 'missing.jsonl'))).toMatchObject({ code: 2 });
  });
});

interface Report {
  runs: [
    Record<'findings' | 'notShown', { kind: string; detail: string }[]> & {
      checks: CheckResult[];
      settled: SettledCounts;
    },
  ];
}

async function historyCommand(...options: string[]): Promise<{ code: number; stdout: string }> {
  return outcomeOf(execute(process.execPath, [historyMain, ...options]));
}

/** As `make load` does it, in this process: a new one for each would be most of the time. */
async function load(
  lie: Lie,
  options: string[] = [],
): Promise<{ code: number; report: Report; history: Operation[]; historyPath: string }> {
  await using api = await startLyingApi(database.url, lie);
  const historyPath = join(home, `${randomUUID()}.jsonl`);
  const wanted = readOptions(guarded([...crowdAt(api.url), `--history=${historyPath}`, ...options]), {});
  const { code, report } = await makeRuns(wanted, nobody);
  const history = await Array.fromAsync(readHistory(historyPath));
  if (RUNS > 1) rmSync(historyPath);
  // As a program reads it.
  return { code, report: JSON.parse(JSON.stringify(report)) as Report, history, historyPath };
}

const nobody: Listener = {
  paint: plain,
  say() {},
  note() {},
  showProgress: () => ({ [Symbol.dispose]() {} }),
};

/** 40 buyers at once for 5 tickets. */
function crowdAt(url: string): string[] {
  return [
    `--url=${url}`,
    `--database-url=${database.url}`,
    '--replicas=2',
    '--tickets=5',
    '--buyers=40',
    // Far from what an answer takes even on a busy machine: a time-out is never an accident here.
    '--timeout=20',
  ];
}

function guarded(options: string[]): string[] {
  const isChosen = options.some((option) => option.startsWith('--strategy'));
  return isChosen ? options : ['--strategy', 'simple-lock', ...options];
}

async function outcomeOf(program: Promise<{ stdout: string }>): Promise<{ code: number; stdout: string }> {
  return program.then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  );
}
