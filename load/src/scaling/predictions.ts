import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';

import { measured } from './fit.ts';
import { batchedPerS, batchedUnderLockPerS, batchOf, homesOf, oneByOnePerS, type Costs } from './model.ts';

/** One cell of one run. */
export interface Prediction {
  what: string;
  crowd: number;
  replicas: number;
  predicted: number;
  measured: number;
  isFitted: boolean;
  /** Where it was measured too: how long half of the buyers waited at most. */
  p50Ms?: number | undefined;
}

const SPEEDS = [8, 64, 512];
const REPLICAS = [1, 2, 4, 8];
const HOT = 'one event';

/**
 * Every cell of the kinds that the model speaks of. The rate of the no-op route is taken from the same run: what the
 * machine could do that day is no matter of bookings.
 */
export function predictionsOf(run: RecordedRun, costs: Costs, isFittedRun: boolean): Prediction[] {
  const noopPerS = (crowd: number): number => measured(run, 'bookings/s', 'no-op', `${crowd} connections`);
  const speed = (of: string, crowd: number, predicted: number, isFitted = false): Prediction => {
    const at = `${crowd} connections`;
    return {
      what: `${inCode(of)}, ${HOT}`,
      crowd,
      replicas: 2,
      predicted,
      measured: measured(run, 'bookings/s', of, at),
      isFitted: isFittedRun && isFitted,
      p50Ms: run.medians['p50 ms']?.[of]?.[at],
    };
  };
  const bySpeed = SPEEDS.flatMap((crowd) => {
    const atHome = batchedPerS(costs, noopPerS(crowd), batchOf(crowd, homesOf(crowd, 2)));
    const holds = run.medians['bookings/s']?.['holds at home'] ? [speed('holds at home', crowd, atHome)] : [];
    return [
      speed('batched-update at home', crowd, atHome),
      ...holds,
      speed('batched-update', crowd, batchedPerS(costs, noopPerS(crowd), batchOf(crowd, 2))),
      speed(
        'batched-lock',
        crowd,
        batchedUnderLockPerS(costs, noopPerS(crowd), batchOf(crowd, 1)),
        crowd === 64,
      ),
    ];
  });
  const oneByOne = ['atomic-update', 'row-lock', 'fenced-lock', 'advisory-lock'].flatMap((guard) =>
    SPEEDS.map((crowd) =>
      speed(
        guard,
        crowd,
        oneByOnePerS(costs, Math.round(measured(run, 'SQL round trips', guard, '64 connections'))),
        crowd === 64 && ['atomic-update', 'row-lock'].includes(guard),
      ),
    ),
  );
  return [...byReplicas(run, costs, isFittedRun), ...bySpeed, ...oneByOne, ...others(run, costs)];
}

function byReplicas(run: RecordedRun, costs: Costs, isFittedRun: boolean): Prediction[] {
  return ['batched-update at home', 'batched-update'].flatMap((of) =>
    REPLICAS.map((replicas) => ({
      what: `${inCode(of)}, ${HOT}, of eight replicas that run`,
      crowd: 64,
      replicas,
      predicted: byReplicasPerS(run, costs, of, replicas),
      measured: measured(run, 'answers/s by replicas', of, atReplicas(replicas)),
      isFitted: isFittedRun && of === 'batched-update' && [1, 4].includes(replicas),
    })),
  );
}

/** At home an event of so few buyers meets one replica, however many there are. */
export function byReplicasPerS(run: RecordedRun, costs: Costs, of: string, replicas: number): number {
  const met = of.endsWith(' at home') ? homesOf(64, replicas) : replicas;
  const noopPerS = measured(run, 'answers/s by replicas', 'no-op', atReplicas(met));
  return batchedPerS(costs, noopPerS, batchOf(64, met));
}

export function atReplicas(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`;
}

/** Events do not matter to the model, and a refusal costs what a request costs. */
function others(run: RecordedRun, costs: Costs): Prediction[] {
  const noopPerS = measured(run, 'bookings/s', 'no-op', '64 connections');
  const refusals = run.figures.find(({ name }) => name.includes('refusals/s / no-op'))?.value;
  return [
    {
      what: '`batched-update`, 1,000 events',
      crowd: 64,
      replicas: 2,
      predicted: batchedPerS(costs, noopPerS, batchOf(64, 2)),
      measured: measured(run, 'bookings/s', 'batched-update', '1,000 events'),
      isFitted: false,
      p50Ms: run.medians['p50 ms']?.['batched-update']?.['1,000 events'],
    },
    ...(refusals == null
      ? []
      : [
          {
            what: 'refusals, by those of the no-op route',
            crowd: 512,
            replicas: 2,
            predicted: 1,
            measured: refusals,
            isFitted: false,
          },
        ]),
  ];
}

function inCode(guard: string): string {
  return guard.replace(/^[a-z]+-[a-z]+/, '`$&`');
}
