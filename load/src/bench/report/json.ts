import { availableParallelism } from 'node:os';

import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';

import type { Measurements } from '../measurements.ts';
import type { Options } from '../options.ts';
import { reasonsOf } from './report.ts';

/**
 * The report for programs. Its names are stable: new ones may join, none changes its meaning without a new `format`.
 */
export function jsonReport(
  { pace, parts, connections, exactness }: Options,
  runtime: string,
  measurements: Measurements,
  figures: readonly Figure[],
): object {
  return {
    format: 'lastseat-bench/3',
    good: reasonsOf(measurements).length === 0,
    machine: { cores: availableParallelism(), platform: process.platform, node: process.version },
    runtime,
    options: { ...pace, parts, connections, exactness },
    figures,
    ...measurements,
  };
}
