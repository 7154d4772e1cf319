import { expect, it } from 'vitest';

import { contenders } from '#bench/contenders.ts';
import type { Lab } from '#bench/lab.ts';
import { nothing } from '#bench/results.ts';
import { schedule } from '#bench/schedule.ts';
import { workloads } from '#bench/workloads.ts';

import { runOf } from './sample.ts';

const chosen = workloads.filter(({ key }) => ['4x1', '4x250', '1x1'].includes(key));

it('after three repeats measures only what figures are made of: ours and the best peers, in turn', async () => {
  const measured = await measuredIn(5);
  const of = (workload: string, repeat: number) =>
    measured.filter((run) => run.workload === workload && run.repeat === repeat);
  expect(of('4x250', 2)).toHaveLength(contenders.length);
  // redlock has the most grants, verrou the shortest waits; and each time another one is first.
  expect(of('4x250', 3).map(({ contender }) => contender)).toEqual(['queue', 'redlock', 'verrou']);
  expect(of('4x250', 4).map(({ contender }) => contender)).toEqual(['redlock', 'verrou', 'queue']);
  expect(of('4x1', 3), 'no figure is made of it').toEqual([]);
});

it('measures one waiter twice in each repeat, as slices of their own', async () => {
  const slices = (await measuredIn(5)).filter(({ workload }) => workload === '1x1');
  const repeats = new Set(slices.map(({ repeat }) => repeat));
  expect([...repeats].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(slices.filter(({ repeat }) => repeat === 9)).toHaveLength(2);
});

/** What a bench of these workloads measures, with empty sections, in its order. */
async function measuredIn(repeats: number) {
  const results = nothing();
  const lab = {
    run: async ({ key }, workload, sectionMs, repeat) =>
      runOf({
        contender: key,
        workload: workload.key,
        sectionMs,
        repeat,
        grantsPerSecond: key === 'redlock' ? 500 : 100,
        waitMs: { p50: 1, p99: key === 'verrou' ? 5 : 10, max: 20 },
      }),
  } as Partial<Lab> as Lab;
  const steps = schedule({ contenders, workloads: chosen, withCrowd: false, repeats, windowFactor: 1 });
  for (const step of steps) await step.measure(lab, results);
  return results.runs.filter(({ sectionMs }) => sectionMs === 0);
}
