import type { PlannedStep } from '@lastseat/lab-frame/progress.ts';
import { percentile } from '@lastseat/lab-frame/statistics.ts';

import type { Contender } from './contender.ts';
import { control } from './contenders.ts';
import { judgedWith } from './figures.ts';
import type { Lab } from './lab.ts';
import { nothing, type Results } from './results.ts';
import { crowd, warmUps, type Workload } from './workloads.ts';

/** One measurement. */
export interface Step extends PlannedStep {
  measure(lab: Lab, results: Results): Promise<void>;
}

export interface ScheduleOptions {
  contenders: readonly Contender[];
  workloads: readonly Workload[];
  withCrowd: boolean;
  repeats: number;
  windowFactor: number;
}

/** In the first repeats everything is measured; in later ones what the figures are made of. */
const fullRepeats = 3;

/**
 * First each contender once for nothing, so that the compiler has seen all of them before any of them is measured.
 * Then repeat by repeat, workload by workload, and within each all contenders one right after the other, so that whatever
 * else the machine does falls on all of them alike; each time another one is first.
 *
 * Three repeats are enough for tables and to know which peer is the best, and too few for a figure. The later ones give
 * it more slices at a fraction of the time: ours and the best peer, next to one another.
 */
export function schedule(options: ScheduleOptions): Step[] {
  const { contenders, workloads, repeats } = options;
  const contendersToWarm = workloads.length > 0 ? contenders : [];
  const before = contendersToWarm.flatMap((contender) =>
    warmUps.map((workload) => warmUpStep(contender, workload, options)),
  );
  const measurements = Array.from({ length: repeats }, (_, repeat) =>
    repeat < fullRepeats ? fullRepeat(repeat, options) : furtherSlices(repeat, options),
  ).flat();
  return [...before, ...measurements];
}

function fullRepeat(repeat: number, options: ScheduleOptions): Step[] {
  const { contenders, workloads, withCrowd } = options;
  return [
    ...workloads.flatMap((workload) =>
      workload.sectionsMs.flatMap((sectionMs) => [
        ...(workload.key === 'hand-over' ? [bareTripsStep(workload, sectionMs, repeat, options)] : []),
        ...turnsOf(workload, sectionMs, repeat).flatMap((turn) =>
          rotate(contenders, turn).map((contender) => runStep(contender, workload, sectionMs, turn, options)),
        ),
      ]),
    ),
    ...(withCrowd
      ? [...contenders, control]
          // Memory differs little from one repeat to the next, and this takes seconds for those who wait by trying.
          .filter(({ hasQueue }) => hasQueue || repeat === 0)
          // Ten thousand who try on three servers at once get in each other's way for half a minute.
          .filter(({ servers }) => servers === 1)
          .map((contender) => crowdStep(contender, repeat))
      : []),
  ];
}

function furtherSlices(repeat: number, options: ScheduleOptions): Step[] {
  const { contenders, withCrowd } = options;
  const isJudged = ({ key }: Workload): boolean =>
    contenders.some((contender) => judgedWith(key, nothing()).includes(contender.key));
  const slices = options.workloads.filter(isJudged).flatMap((workload) => {
    // Figures are judged with an empty section, where there is one.
    const sectionMs = Math.min(...workload.sectionsMs);
    const turns = turnsOf(workload, sectionMs, repeat).map((turn) =>
      sliceStep(contenders, workload, sectionMs, turn, options),
    );
    return workload.key === 'hand-over'
      ? [bareTripsStep(workload, sectionMs, repeat, options)].concat(turns)
      : turns;
  });
  const queues = [...contenders, control].filter(({ hasQueue }) => hasQueue);
  return withCrowd ? slices.concat(queues.map((contender) => crowdStep(contender, repeat))) : slices;
}

// One of ours and one or two peers.
const usuallyJudged = 2.5;

/** Ours, and whichever peers are the best by what was measured until then, right after one another. */
function sliceStep(
  contenders: readonly Contender[],
  workload: Workload,
  sectionMs: number,
  repeat: number,
  options: ScheduleOptions,
): Step {
  const stepOf = (contender: Contender): Step => runStep(contender, workload, sectionMs, repeat, options);
  return {
    what: `${workload.key}, section ${sectionMs} ms: slice ${repeat + 1}`,
    expectedMs: usuallyJudged * stepOf(control).expectedMs,
    async measure(lab, results) {
      const keys = judgedWith(workload.key, results);
      const judged = contenders.filter(({ key }) => keys.includes(key));
      for (const contender of rotate(judged, repeat)) {
        await stepOf(contender).measure(lab, results);
      }
    },
  };
}

/** Numbers of their own for what is measured, in each repeat, one after the other. */
function turnsOf({ turns = 1 }: Workload, sectionMs: number, repeat: number): number[] {
  if (sectionMs > 0) return [repeat];
  return Array.from({ length: turns }, (_, turn) => repeat * turns + turn);
}

function rotate<T>(things: readonly T[], by: number): T[] {
  const first = by % things.length;
  return [...things.slice(first), ...things.slice(0, first)];
}

/** Connecting, closing and flushing. */
const aroundMs = 60;

function runStep(
  contender: Contender,
  workload: Workload,
  sectionMs: number,
  repeat: number,
  { windowFactor }: ScheduleOptions,
): Step {
  const { warmUpMs, windowMs, drainMs } = workload;
  return {
    what: `${workload.key}, section ${sectionMs} ms: ${contender.title}`,
    expectedMs: (warmUpMs + windowMs + drainMs / 2) * windowFactor + aroundMs,
    async measure(lab, results) {
      results.runs.push(await lab.run(contender, workload, sectionMs, repeat));
    },
  };
}

/** A process of one's own. */
const startingMs = 700;

function warmUpStep(contender: Contender, workload: Workload, options: ScheduleOptions): Step {
  const step = runStep(contender, workload, 0, 0, options);
  return {
    what: `warming up: ${contender.title}`,
    expectedMs: step.expectedMs + startingMs,
    measure: (lab) => step.measure(lab, nothing()),
  };
}

function bareTripsStep(
  workload: Workload,
  sectionMs: number,
  repeat: number,
  { windowFactor }: ScheduleOptions,
): Step {
  return {
    what: 'two bare round trips to Redis',
    expectedMs: workload.windowMs * windowFactor + aroundMs,
    async measure(lab, results) {
      const sorted = (await lab.bareTrips(sectionMs, workload.windowMs)).sort();
      const [p50Ms, p99Ms] = [percentile(sorted, 0.5), percentile(sorted, 0.99)];
      results.bareTrips.push({ repeat, pairs: sorted.length, p50Ms, p99Ms });
    },
  };
}

function crowdStep(contender: Contender, repeat: number): Step {
  return {
    what: `${crowd.many} waiters in one process: ${contender.title}`,
    expectedMs: contender.hasQueue ? 1_500 : 3_000,
    async measure(lab, results) {
      const log = await lab.crowd(contender);
      results.crowds.push({
        contender: contender.key,
        repeat,
        waiters: crowd.many,
        heapBytesPerWaiter: log.heapBytesPerWaiter,
        redisBytesPerWaiter: log.redisBytesPerWaiter,
        handOverFewP50Ms: percentile(log.fewHandOversMs.sort(), 0.5),
        handOverManyP50Ms: percentile(log.manyHandOversMs.sort(), 0.5),
        failures: log.failures,
        firstFailure: log.firstFailure,
      });
    },
  };
}
