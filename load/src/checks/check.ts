import type { Evidence } from './evidence.ts';

/** One thing that must be true of a run. A file of this folder each; `judge.ts` lists them. */
export interface Check {
  name: string;
  /** What is true where it passed, in one sentence. */
  claim: string;
  /** Every way in which it can be untrue, by its name, the gravest first. */
  findings: Record<string, Find>;
  /** Why nothing can be said of it in this run; asked only where nothing is wrong. */
  notShown?: Find;
  /** A run that does not show it has not shown what it was for. */
  isEssential?: boolean;
}

/** Says in one plain sentence what is wrong, or null. */
export type Find = (evidence: Evidence) => string | null;

/** What a check says of one run. Programs read it in the JSON report. */
export interface CheckResult {
  check: string;
  claim: string;
  verdict: 'passed' | 'failed' | 'not shown';
  /** What is wrong, a sentence each, or why nothing can be said; empty where it passed. */
  details: string[];
  /** It failed, and that is what the run was there to show: a race without a guard. */
  isExpected: boolean;
}
