import { describe, expect, it } from 'vitest';

import { measure, whyVoid } from '#bench/measurement.ts';

import { logOf, runOf } from './sample.ts';

const labels = { contender: 'queue', workload: '4x1', sectionMs: 0, repeat: 0 };
const servers = { cpuUsPerSecond: 8_000, pushesPerSecond: 2 };

describe('a measurement', () => {
  it('counts the grants of the window only, for whoever they are', () => {
    const measured = measure(
      labels,
      [
        logOf(2, [
          [0, 900, 999, 1_000],
          [0, 1_000, 1_001, 1_002],
          [1, 1_990, 1_999, 2_000],
          [1, 1_995, 2_000, 2_001],
        ]),
        logOf(2, [
          [0, 1_000, 1_500, 1_501],
          [0, 1_000, 1_600, 1_601],
        ]),
      ],
      servers,
    );
    expect(measured).toMatchObject({ grants: 4, grantsPerSecond: 4, jain: (4 * 4) / (4 * (1 + 1 + 4)) });
  });

  it('takes what was used up per grant', () => {
    const grants = [0, 1, 2, 3].map((n) => [0, 1_100 + n, 1_101 + n, 1_101.5 + n] as const);
    expect(measure(labels, [logOf(1, grants)], servers)).toMatchObject({
      requestsPerGrant: 10 / 4,
      pushesPerGrant: 2 / 4,
      tripsPerGrant: 3,
      redisCpuUsPerGrant: 2_000,
      clientCpuUsPerGrant: 1_000,
    });
  });

  it('knows the waits that the end of the window cut short, and those that never ended', () => {
    const log = logOf(
      3,
      [
        [0, 1_500, 1_510, 1_511],
        [1, 1_600, 2_050, 2_051],
        [0, 2_000, 2_060, 2_061],
      ],
      { stillWaitingMs: Float64Array.of(1_200), endedMs: 12_000 },
    );
    const measured = measure(labels, [log], servers);
    expect(measured).toMatchObject({
      grants: 1,
      stillWaiting: 1,
      waitMs: { p50: 450, p99: 10_800, max: 10_800 },
    });
  });

  it('says that it does not know what a grant costs when there was none', () => {
    const measured = measure(labels, [logOf(1, [])], servers);
    expect(measured).toMatchObject({
      grantsPerSecond: 0,
      tripsPerGrant: Number.NaN,
      redisCpuUsPerGrant: Number.NaN,
      jain: Number.NaN,
    });
  });

  it('is void when the lock was no lock, or did not work', () => {
    expect(whyVoid(runOf({}))).toBeNull();
    expect(whyVoid(runOf({ overlaps: 1 }))).toMatch(/overlapped/);
    expect(whyVoid(runOf({ tokensNotRising: 1 }))).toMatch(/tokens/);
    expect(whyVoid(runOf({ failures: 1, firstFailure: 'no reply' }))).toBe('1 waiter failed: no reply');
  });
});
