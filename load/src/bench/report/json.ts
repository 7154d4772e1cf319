import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { machineFacts } from '@lastseat/lab-frame/results/recorded-run.ts';

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
    format: 'lastseat-bench/4',
    good: reasonsOf(measurements).length === 0,
    machine: machineFacts(),
    runtime,
    options: { ...pace, parts, connections, exactness },
    figures,
    ...measurements,
  };
}
