import type { Run } from '../run.ts';
import type { Target } from '../target.ts';
import { verdictOf } from './verdict.ts';

/**
 * The report for programs. Its names are stable: new ones may join, none changes its meaning without a new `format`.
 */
export function jsonReport(target: Target, runs: readonly Run[]): object {
  return {
    format: 'lastseat-load/2',
    good: runs.every((run) => run.judgement.good),
    target: { url: target.url, runtime: target.runtime, replicas: target.replicas },
    runs: runs.map((run) => ({
      guard: run.scenario.guard.name,
      path: run.path,
      eventId: run.eventId,
      startedAt: run.startedAt.toISOString(),
      durationMs: run.durationMs,
      crowd: run.scenario.crowd,
      ...run.tally,
      settled: run.settled,
      good: run.judgement.good,
      verdict: verdictOf(run),
      findings: run.judgement.wrong,
      notShown: run.judgement.notShown,
      shown: run.judgement.shown,
      checks: run.judgement.checks,
    })),
  };
}
