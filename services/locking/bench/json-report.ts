import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { machineFacts } from '@lastseat/lab-frame/results/recorded-run.ts';

import type { Options } from './options.ts';
import type { Results } from './results.ts';

/**
 * The report for programs. Its names are stable: new ones may join, none changes its meaning without a new `format`.
 * What could not be measured is null.
 */
export function jsonReport(options: Options, results: Results, figures: readonly Figure[], startedAt: Date) {
  return {
    format: 'lastseat-bench-lock/3',
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    machine: machineFacts(),
    quick: options.quick,
    repeats: options.repeats,
    retryDelayMs: options.retryDelayMs ?? null,
    contenders: options.contenders.map(({ key, title, isPeer, servers, settings }) => ({
      key,
      title,
      isPeer,
      servers,
      settings,
    })),
    workloads: options.workloads,
    runs: results.runs,
    bareTrips: results.bareTrips,
    crowds: results.crowds,
    figures,
  };
}
