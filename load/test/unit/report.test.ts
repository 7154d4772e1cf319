import { wrap } from '@lastseat/infra/command-line';
import { plain } from '@lastseat/lab-frame/paint.ts';
import { describe, expect, it } from 'vitest';

import { judge } from '#src/checks/judge.ts';
import { countSettled } from '#src/history/settled.ts';
import { jsonReport } from '#src/report/json.ts';
import { runLine, runTable } from '#src/report/run-table.ts';
import { summary } from '#src/report/summary.ts';
import type { Run } from '#src/run.ts';
import { guardOf, type GuardName } from '#src/scenario.ts';

import { bookedAnswer, evidenceOf, honestRun, rowOf, type HonestRun } from './honest-run.ts';

describe('the table of a run', () => {
  it('says everything in a frame of equal lines', () => {
    const table = runTable(runOf(honestRun(), 'simple-lock'), '1 of 1 · ', plain, 80);
    expect(table).toMatchInlineSnapshot(`
      "╭─ 1 of 1 · with simple-lock: 40 buyers for 3 tickets ─────────────────────────╮
      │ requests     POST /book/simple-lock/7 · all at once · race window 50 ms      │
      │ bookings     3 in Postgres, for 3 tickets                                    │
      │ oversold     0                                                               │
      │ refusals     37 sold_out                                                     │
      │ unanswered   0 of 40 requests                                                │
      │ latency      p50 117 ms · p99 135 ms                                         │
      │ instances    2 shared the contention · 2 won · 2 lost                        │
      │ answers      replica-1 20 · replica-2 20                                     │
      ├──────────────────────────────────────────────────────────────────────────────┤
      │ EXACT  Exactly 3 tickets sold, not one too many, not one too few.            │
      ╰──────────────────────────────────────────────────────────────────────────────╯"
    `);
    expect(new Set(table.split('\n').map((line) => line.length))).toEqual(new Set([80]));
  });

  it('gives every reason when the run went wrong', () => {
    const honest = honestRun();
    oversell(honest);
    honest.wave.strayAnswers = 1;
    honest.wave.client.answered += 1;
    const table = runTable(runOf(honest, 'simple-lock'), '', plain, 80);
    expect(table).toMatch(/FAILED {2}4 tickets sold though there were only 3: 1 too many\./);
    expect(table).toMatch(/│ {9}The books do not balance: 1 answer that no request was waiting for\./);
  });

  it('calls an oversell without a lock what it is, and what the counter hides', () => {
    const honest = honestRun();
    oversell(honest);
    const table = runTable(runOf(honest, 'no-lock'), '', plain, 80).replaceAll(/[│\s]+/g, ' ');
    expect(table).toContain(
      'OVERSOLD As expected where nothing guards the seats: 4 tickets sold where there were 3',
    );
    expect(table).toContain('The counter knows nothing of it: 3 of 3 sold, it says.');
  });

  it('shortens to a line when there are many', () => {
    expect(runLine(runOf(honestRun(), 'simple-lock'), '1 of 20', plain)).toMatch(
      /^1 of 20 .* 3 sold of 3 .*EXACT$/,
    );
  });
});

describe('the summary', () => {
  it('counts the verdicts per guard', () => {
    const oversold = honestRun();
    oversell(oversold);
    const runs = [
      runOf(oversold, 'no-lock'),
      runOf(honestRun(), 'simple-lock'),
      runOf(honestRun(), 'simple-lock'),
    ];
    expect(summary(target.url, runs, plain)).toMatch(
      / 3 tickets, 40 buyers\n +WITHOUT the lock +4 sold {2}OVERSOLD\n +with simple-lock +3 sold {2}EXACT x2\n/,
    );
    expect(summary(target.url, runs, plain)).toMatch(/PASS {2}All 3 runs were as they must be/);
  });

  it('does not look like a pass where there was no contention', () => {
    const alone = honestRun();
    alone.crowd.connections = 1;
    const runs = [runOf(alone, 'simple-lock'), runOf(honestRun(), 'simple-lock')];
    expect(summary(target.url, runs, plain)).toMatch(/NOT SHOWN {2}Nothing went wrong, but in 1 of 2 runs/);
    expect(runLine(runs[0]!, '', plain)).toMatch(/NOT SHOWN$/);
    expect(jsonReport(target, runs)).toMatchObject({ good: false, runs: [{ good: false }, { good: true }] });
  });

  it('fails when one run did', () => {
    const oversold = honestRun();
    oversell(oversold);
    const runs = [runOf(oversold, 'simple-lock'), runOf(honestRun(), 'simple-lock')];
    expect(summary(target.url, runs, plain)).toMatch(/FAIL {2}1 of 2 runs went wrong/);
    expect(jsonReport(target, runs)).toMatchObject({ good: false, runs: [{ good: false }, { good: true }] });
  });
});

describe('wrapping', () => {
  it('breaks between words and leaves a long word whole', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('unbreakable a', 4)).toEqual(['unbreakable', 'a']);
    expect(wrap('', 4)).toEqual(['']);
  });
});

const target = {
  url: 'http://127.0.0.1:8080',
  postgresUrl: '',
  replicas: 2,
  runtime: null,
  hasQuorum: false,
};

function runOf(honest: HonestRun, name: GuardName): Run {
  const guard = guardOf(name);
  const { crowd, terms, truth } = honest;
  const evidence = evidenceOf({ ...honest, terms: { ...terms, sells: guard.sells } });
  return {
    scenario: { guard, crowd },
    eventId: 7,
    path: guard.path(7),
    startedAt: new Date(0),
    durationMs: 123,
    endedAtMs: 123,
    truth,
    settled: countSettled(evidence.history),
    tally: evidence.tally,
    judgement: judge(evidence),
  };
}

function oversell({ attempts, rows }: HonestRun): void {
  const attempt = attempts[3]!;
  attempt.answer = bookedAnswer(attempt.customer, 3);
  rows.push(rowOf(attempt, 4));
}
