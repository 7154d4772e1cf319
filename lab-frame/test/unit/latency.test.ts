import { createLatencyLog, latencyCurve, mergeLatencies } from '@lastseat/lab-frame/latency.ts';
import { expect, it } from 'vitest';

it('keeps latencies true to three digits, and tells of none', () => {
  const log = createLatencyLog();
  expect(log.summary()).toBeNull();
  for (let ms = 1; ms <= 1_000; ms += 1) log.add(ms);
  const summary = log.summary()!;
  expect(summary.count).toBe(1_000);
  for (const [told, exact] of [
    [summary.p50, 500],
    [summary.p90, 900],
    [summary.p99, 990],
    [summary.p999, 999],
    [summary.max, 1_000],
  ] as const) {
    expect(Math.abs(told / exact - 1)).toBeLessThan(0.002);
  }
});

it('merges those of several slices as if they had been one', () => {
  const [low, high, both] = [createLatencyLog(), createLatencyLog(), createLatencyLog()];
  for (let ms = 1; ms <= 100; ms += 1) {
    low.add(ms);
    high.add(ms * 10);
    both.add(ms);
    both.add(ms * 10);
  }
  const merged = mergeLatencies([low.summary()!, high.summary()!])!;
  const { p50, p99, max, count } = both.summary()!;
  expect(merged).toMatchObject({ p50, p99, max, count });
  expect(mergeLatencies([])).toBeNull();
  const [[, atHalf], [, atEnd]] = latencyCurve(merged, [50, 100]) as [[number, number], [number, number]];
  expect(atHalf).toBe(p50);
  expect(Math.abs(atEnd / max - 1)).toBeLessThan(0.002);
});

it('counts what took longer than a minute as a minute', () => {
  const log = createLatencyLog();
  log.add(10_000_000);
  expect(Math.round(log.summary()!.max / 1_000)).toBe(60);
});
