import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

/** Percentiles in milliseconds, and all that they were made of. */
export interface Latency {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
  /** An HdrHistogram of microseconds, compressed, in base64. */
  hdr: string;
}

export interface LatencyLog {
  add(ms: number): void;
  /** Null of none. */
  summary(): Latency | null;
}

// A minute is longer than any time limit of the generators; what exceeds it counts as a minute.
const LONGEST_US = 60_000_000;

/** Millions of latencies in a few kilobytes, each true to three digits. */
export function createLatencyLog(): LatencyLog {
  const histogram = newHistogram();
  return {
    add: (ms) => histogram.recordValue(Math.min(LONGEST_US, Math.max(1, Math.round(ms * 1_000)))),
    summary: () => summaryOf(histogram),
  };
}

/** Those of several slices as one. */
export function mergeLatencies(latencies: readonly Latency[]): Latency | null {
  const histogram = newHistogram();
  for (const { hdr } of latencies) histogram.add(decodeFromCompressedBase64(hdr, 32, false));
  const summary = summaryOf(histogram);
  // What is encoded is rounded to three digits; the longest one is known.
  return summary && { ...summary, max: Math.max(...latencies.map(({ max }) => max)) };
}

/** Points of the curve, from the median to the last one: `[percentile, ms]`. */
export function latencyCurve({ hdr }: Latency, percentiles: readonly number[]): [number, number][] {
  const histogram = decodeFromCompressedBase64(hdr, 32, false);
  return percentiles.map((percentile) => [percentile, histogram.getValueAtPercentile(percentile) / 1_000]);
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST_US,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    autoResize: false,
    useWebAssembly: false,
  });
}

function summaryOf(histogram: Histogram): Latency | null {
  if (histogram.totalCount === 0) return null;
  const max = histogram.maxValue / 1_000;
  // The histogram tells the upper end of a step, which may lie above the longest that there was.
  const at = (percentile: number): number =>
    Math.min(max, histogram.getValueAtPercentile(percentile) / 1_000);
  return {
    count: histogram.totalCount,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max,
    hdr: encodeIntoCompressedBase64(histogram),
  };
}
