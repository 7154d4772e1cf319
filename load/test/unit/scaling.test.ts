import type { RecordedRun } from '@lastseat/lab-frame/results/recorded-run.ts';
import { describe, expect, it } from 'vitest';

import {
  clusterFor,
  clusterOf,
  handOversPerS,
  hotEventPerS,
  refusalCores,
  steadyBatch,
  waitOfOneMs,
} from '#src/scaling/beyond.ts';
import { costsOf, partCostsOf, type PartCosts } from '#src/scaling/fit.ts';
import {
  batchedPerS,
  batchedUnderLockPerS,
  batchOf,
  homesOf,
  oneByOnePerS,
  waitMs,
  type Costs,
} from '#src/scaling/model.ts';
import { atReplicas, byReplicasPerS, predictionsOf } from '#src/scaling/predictions.ts';

const AT = '64 connections';
const COSTS: Costs = { rowUs: 20, batchUs: 640, handOverUs: 320, commitUs: 400, roundTripUs: 150 };

describe('a batch', () => {
  it('is half of the crowd over the replicas that it meets, at least one and at most what a statement inserts', () => {
    expect([batchOf(64, 1), batchOf(64, 4), batchOf(2, 8), batchOf(9_000, 1)]).toEqual([32, 8, 1, 512]);
  });

  it('meets one replica for each hundred buyers at home, and no more than there are', () => {
    expect([homesOf(64, 8), homesOf(101, 8), homesOf(5_000, 8)]).toEqual([1, 2, 8]);
  });

  it('costs each booking its share of a statement, beside a request and a row', () => {
    // 60 us for the request, 20 for the row, 640 / 32 for the statement.
    expect(batchedPerS(COSTS, 1e6 / 60, 32)).toBeCloseTo(1e6 / 100);
    expect(batchedUnderLockPerS(COSTS, 1e6 / 60, 32)).toBeCloseTo(1e6 / 110);
  });
});

it('one by one, the row is locked for a commit and each round trip', () => {
  expect(oneByOnePerS(COSTS, 4)).toBeCloseTo(1_000);
  expect(waitMs(64, 1_000)).toBeCloseTo(64);
});

describe('costs', () => {
  const run = runMadeBy(COSTS);

  it('are found again in a run that was made by them', () => {
    const costs = costsOf(run);
    for (const [name, value] of Object.entries(COSTS))
      expect(costs[name as keyof Costs]).toBeCloseTo(value, 3);
  });

  it('of a run that lacks something name it', () => {
    const { 'row-lock': _, ...others } = run.medians['bookings/s'] ?? {};
    const without = { ...run, medians: { ...run.medians, 'bookings/s': others } };
    expect(() => costsOf(without)).toThrow(/has no bookings\/s of row-lock at 64 connections/);
  });

  it('predict the cells that they were not fitted to, and say which those are', () => {
    const predictions = predictionsOf(run, COSTS, true);
    const fitted = predictions.filter(({ isFitted }) => isFitted);
    expect(fitted.map(({ what, crowd, replicas }) => `${what} ${crowd} ${replicas}`)).toEqual([
      '`batched-update`, one event, of eight replicas that run 64 1',
      '`batched-update`, one event, of eight replicas that run 64 4',
      '`batched-lock`, one event 64 2',
      '`atomic-update`, one event 64 2',
      '`row-lock`, one event 64 2',
    ]);
    for (const { predicted, measured } of fitted) expect(predicted / measured).toBeCloseTo(1);
    expect(predictionsOf(run, COSTS, false).some(({ isFitted }) => isFitted)).toBe(false);
    expect(byReplicasPerS(run, COSTS, 'batched-update at home', 8)).toBe(
      byReplicasPerS(run, COSTS, 'batched-update', 1),
    );
  });
});

describe('beyond one machine', () => {
  const parts: PartCosts = {
    nginxUs: 35,
    requestUs: 70,
    replica: { rowUs: 50, batchUs: 700 },
    postgres: { rowUs: 16, batchUs: 320 },
    handOverUs: 280,
    commitCycleUs: 900,
  };

  it('a replica that is busy for 0.7 of its time waits for the commit in the rest of it', () => {
    // 0.3 of a cycle are 900 us, so 2,100 us are work: 700 for the batch and 1,400 for 28 bookings.
    expect(steadyBatch(parts)).toBeCloseTo(28);
    expect(clusterOf(parts, 1).perS).toBeCloseTo(28 / 0.003);
  });

  it('servers grow with the bookings, and connections with the replicas', () => {
    const [one, ten] = [clusterOf(parts, 10), clusterOf(parts, 100)];
    expect(ten.perS / one.perS).toBeCloseTo(10);
    expect(ten.postgresCores / one.postgresCores).toBeCloseTo(10);
    expect([one.connections, ten.connections]).toEqual([90, 900]);
    expect(clusterFor(parts, ten.perS - 1).replicas).toBe(100);
  });

  it('one event is bound by its row, however many machines there are', () => {
    expect(hotEventPerS(parts, 32)).toBeCloseTo(32 / 0.0009);
    expect(hotEventPerS(parts, 512)).toBeCloseTo(512e6 / (900 + 480 * 16));
    expect(handOversPerS(parts)).toBeCloseTo(2_500);
  });

  it('refusals take statements that write nothing', () => {
    const { nginx, replicas, postgres } = refusalCores(parts, 1e6);
    expect(nginx).toBeCloseTo(50);
    expect(replicas).toBeCloseTo((70 + 700 / 28) / 0.7);
    expect(postgres).toBeCloseTo(320 / 28 / 0.7);
  });

  it('a wait grows without bound as the replica gets busier', () => {
    const waits = [0, 0.5, 0.9].map((busy) => waitOfOneMs(parts, 28, busy));
    // Half of the batch under way and the own one, each a commit and 2.1 ms of work, twice and ten times that.
    expect(waits).toEqual([4.5, 7.65, 32.85].map((ms) => expect.closeTo(ms)));
  });

  it('what parts cost is found again in cores that were made by it', () => {
    const found = partCostsOf(runMadeBy(COSTS, parts));
    expect(found.replica).toEqual({ rowUs: expect.closeTo(50), batchUs: expect.closeTo(700) });
    expect(found.postgres).toEqual({ rowUs: expect.closeTo(16), batchUs: expect.closeTo(320) });
    expect([found.nginxUs, found.requestUs, found.handOverUs, found.commitCycleUs]).toEqual(
      [35, 70, 280, 900].map((us) => expect.closeTo(us)),
    );
  });
});

/** As if the model were true. */
function runMadeBy(costs: Costs, parts?: PartCosts): RecordedRun {
  const noopPerS = 1e6 / 60;
  const at = (value: number) => byCrowd(() => value);
  const rates: Record<string, Record<string, number>> = {
    'no-op': at(noopPerS),
    'batched-update at home': byCrowd((crowd) =>
      batchedPerS(costs, noopPerS, batchOf(crowd, homesOf(crowd, 2))),
    ),
    'batched-update': {
      ...byCrowd((crowd) => batchedPerS(costs, noopPerS, batchOf(crowd, 2))),
      '1,000 events': 9_000,
    },
    'batched-lock': byCrowd((crowd) => batchedUnderLockPerS(costs, noopPerS, batchOf(crowd, 1))),
    'atomic-update': at(oneByOnePerS(costs, 1)),
    'row-lock': at(oneByOnePerS(costs, 5)),
    'fenced-lock': at(oneByOnePerS(costs, 5)),
    'advisory-lock': at(oneByOnePerS(costs, 6)),
  };
  const cores = (of: string, us: number) => ({ [of]: { [AT]: (us * (rates[of]?.[AT] ?? 0)) / 1e6 } });
  const perBatch = ({ rowUs, batchUs }: PartCosts['replica']) => ({
    ...cores('batched-update at home', rowUs + batchUs / 32),
    ...cores('batched-update', rowUs + batchUs / 16),
  });
  return {
    format: 'lastseat-results/1',
    bench: 'guards',
    startedAt: '2026-11-29T00:00:00.000Z',
    commit: null,
    dirty: null,
    machine: { cores: 2, memoryGb: 4, cpu: 'some CPU', platform: 'linux x64', node: 'v26.0.0' },
    runtime: 'native',
    servers: {},
    void: 0,
    figures: [],
    medians: {
      'bookings/s': rates,
      'answers/s by replicas': {
        'no-op': byReplicas(() => noopPerS),
        'batched-update at home': byReplicas(() => batchedPerS(costs, noopPerS, 32)),
        'batched-update': byReplicas((replicas) => batchedPerS(costs, noopPerS, batchOf(64, replicas))),
      },
      'SQL round trips': {
        'batched-lock': { [AT]: 1 / 32 },
        'atomic-update': { [AT]: 1 },
        'row-lock': { [AT]: 5 },
        'fenced-lock': { [AT]: 5 },
        'advisory-lock': { [AT]: 6 },
      },
      ...(parts && {
        ms: { 'commit cycle': { [AT]: parts.commitCycleUs / 1e3 } },
        'cores of nginx': cores('batched-update at home', parts.nginxUs),
        'cores of replicas': { ...perBatch(parts.replica), ...cores('no-op', parts.requestUs) },
        'cores of postgres': perBatch(parts.postgres),
        'cores of redis': cores('batched-lock', parts.handOverUs / 32),
      }),
    },
  };
}

function byCrowd(value: (crowd: number) => number): Record<string, number> {
  return Object.fromEntries([8, 64, 512].map((crowd) => [`${crowd} connections`, value(crowd)]));
}

function byReplicas(value: (replicas: number) => number): Record<string, number> {
  return Object.fromEntries([1, 2, 4, 8].map((replicas) => [atReplicas(replicas), value(replicas)]));
}
