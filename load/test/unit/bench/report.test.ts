import { plain } from '@lastseat/lab-frame/paint.ts';
import { expect, it } from 'vitest';

import { figuresOf } from '#src/bench/figures.ts';
import { nothing } from '#src/bench/measurements.ts';
import { reasonsOf, report } from '#src/bench/report/report.ts';

import { cell, exactRun } from './measured.ts';

const cells = [100, 300, 200].flatMap((bookingsPerS, index) => [
  cell({ guard: 'row-lock' }, { repeat: index + 1, bookingsPerS }),
  cell({ guard: 'no-op' }, { repeat: index + 1, bookingsPerS: 1_000, rows: null }),
]);

it('shows the median of the repeats', () => {
  const text = tell({ cells });
  expect(text).toMatch(/row-lock +200 /);
  expect(text).toMatch(/\(no-op route\) +1,000 /);
});

it('leaves out what was not measured', () => {
  const text = tell({ cells });
  expect(text).not.toContain('Messages');
  expect(text).not.toContain('Cores');
  expect(text).not.toContain('Figures');
  expect(text).not.toContain('OVERSELLS');
});

it('says of the unguarded strategy how much of it is a lie', () => {
  const unguarded = cell({ guard: 'no-lock' }, { rows: 1_000, uncounted: 400 });
  expect(tell({ cells: [...cells, unguarded] })).toContain('OVERSELLS: 40 % of its sales are missing');
});

it('shows beside what was booked what commits and processors allow', () => {
  const measured = {
    cells: [
      cell({ guard: 'batched-update at home' }, { bookingsPerS: 9_000 }),
      cell({ guard: 'no-op' }, { bookingsPerS: 20_000, rows: null }),
    ],
    commitCycles: [{ repeat: 1, batch: 32, cycles: 100, ms: 2.5 }],
  };
  const text = tell(measured);
  expect(text).toMatch(/booked at home +9,000 /);
  expect(text).toMatch(/two cycles of 2\.5 ms +12,800 /);
  expect(text).toMatch(/0\.75 of the no-op route +15,000 /);
});

it('keeps a void measurement out of the table and gives the reason', () => {
  const measured = { cells: [...cells, cell({ guard: 'row-lock' }, { bookingsPerS: 9, void: 'it lied' })] };
  expect(tell(measured)).toMatch(/row-lock +200 /);
  expect(tell(measured)).toContain('row-lock, 64 connections, 1 event, repeat 1: it lied');
  expect(reasonsOf({ ...nothing(), ...measured })).toHaveLength(1);
});

it('ends with the figures and their verdicts', () => {
  const missed = { ...nothing(), exactness: [exactRun({ oversold: 1 })] };
  const text = report(missed, figuresOf(missed), plain, 80);
  expect(text).toMatch(/tickets oversold.* 1 .* = 0 +missed/);
  expect(text).toMatch(/tickets undersold.* 0 .* = 0 +met/);
});

it('fits a terminal that nobody has widened', () => {
  const everything = ['batched-lock', 'no-lock', 'no-op'] as const;
  const loads = [8, 64, 512].map((connections) => ({ connections, events: 1 }));
  const measured = [...loads, { connections: 64, events: 1_000 }].flatMap((load) =>
    everything.map((guard) => cell({ guard, ...load }, { latencyMs: { p50: 1_111, p99: 2_222, max: 9 } })),
  );
  const busy = everything.map((guard) => cell({ guard }, { answered: 10, statuses: { 201: 5, 503: 5 } }));
  measured.push(...busy, ...busy);
  for (const line of tell({ cells: measured }).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

function tell(measured: Partial<ReturnType<typeof nothing>>): string {
  return report({ ...nothing(), ...measured }, [], plain, 80);
}
