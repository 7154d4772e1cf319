import { accountedAnswers } from './accounted-answers.ts';
import { answersAgainstRows } from './answers-against-rows.ts';
import type { Check, CheckResult } from './check.ts';
import { contentionSpannedReplicas } from './contention-spanned-replicas.ts';
import { counterAgainstRows } from './counter-against-rows.ts';
import { epochs } from './epochs.ts';
import type { Evidence } from './evidence.ts';
import { linearizability } from './linearizability.ts';
import { oversold } from './oversold.ts';
import { refusedWhileFree } from './refused-while-free.ts';
import { tokensInCommitOrder } from './tokens-in-commit-order.ts';
import { undersold } from './undersold.ts';

/** Every check, the gravest first. */
export const CHECKS = [
  epochs,
  oversold,
  undersold,
  counterAgainstRows,
  answersAgainstRows,
  tokensInCommitOrder,
  refusedWhileFree,
  linearizability,
  accountedAnswers,
  contentionSpannedReplicas,
] as const satisfies Check[];

type KeysOfEach<T> = T extends unknown ? keyof T : never;

/** What a check can find. */
export type CheckedKind = KeysOfEach<(typeof CHECKS)[number]['findings']>;

/** The last two have places of their own: not a fault, and found only after all runs (`lookAgain`). */
export type FindingKind = CheckedKind | 'contention_not_shown' | 'changed_afterwards';

export interface Finding {
  kind: FindingKind;
  detail: string;
}

export interface Judgement {
  /** Nothing is wrong, and what the run was there to show was shown. */
  good: boolean;
  /** What is wrong with the run. */
  wrong: Finding[];
  /** Why a run with which nothing is wrong proves nothing. */
  notShown: Finding[];
  /** What an unguarded run is there to show: the oversell, and the counter that hides it. */
  shown: Finding[];
  /** Every check with what it says. */
  checks: CheckResult[];
}

// A counter that is written from a stale reading also gives tickets back that were gone.
const TO_BE_SHOWN: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'oversold',
  'counter_differs',
  'refused_too_early',
  'not_linearizable',
]);

export function judge(evidence: Evidence): Judgement {
  // What was booked before a reset is gone: nothing else can be said of such a run.
  const reset = epochs.findings.event_reset(evidence);
  if (reset !== null) return judgeReset(reset);

  const isToBeShown = ({ kind }: Finding): boolean =>
    evidence.terms.sells === 'too many' && TO_BE_SHOWN.has(kind);
  const judged = CHECKS.map((check) => judgeOne(check, evidence, isToBeShown));
  const findings = judged.flatMap(({ findings }) => findings);
  return judgement({
    wrong: findings.filter((finding) => !isToBeShown(finding)),
    shown: findings.filter(isToBeShown),
    notShown: judged.flatMap(({ notShown }) => notShown),
    checks: judged.map(({ result }) => result),
  });
}

interface Judged {
  result: CheckResult;
  findings: Finding[];
  notShown: Finding[];
}

function judgeOne(check: Check, evidence: Evidence, isToBeShown: (finding: Finding) => boolean): Judged {
  const { name, claim } = check;
  const findings = Object.entries(check.findings).flatMap(([kind, find]): Finding[] => {
    const detail = find(evidence);
    return detail === null ? [] : [{ kind: kind as FindingKind, detail }];
  });
  if (findings.length > 0) {
    const details = findings.map(({ detail }) => detail);
    const isExpected = findings.every(isToBeShown);
    return {
      result: { check: name, claim, verdict: 'failed', details, isExpected },
      findings,
      // A run may both be wrong and have shown nothing.
      notShown: missing(check, evidence),
    };
  }
  const why = check.notShown?.(evidence) ?? null;
  const verdict = why === null ? 'passed' : 'not shown';
  return {
    result: { check: name, claim, verdict, details: why === null ? [] : [why], isExpected: false },
    findings,
    notShown: missing(check, evidence),
  };
}

function missing(check: Check, evidence: Evidence): Finding[] {
  const detail = check.isEssential ? check.notShown?.(evidence) : null;
  return detail ? [{ kind: 'contention_not_shown', detail }] : [];
}

function judgeReset(detail: string): Judgement {
  const checks = CHECKS.map(({ name, claim }): CheckResult => {
    const isFailed = name === epochs.name;
    const details = [isFailed ? detail : 'the event was reset meanwhile'];
    return { check: name, claim, verdict: isFailed ? 'failed' : 'not shown', details, isExpected: false };
  });
  return judgement({ wrong: [{ kind: 'event_reset', detail }], checks });
}

export function judgement({
  wrong = [],
  notShown = [],
  shown = [],
  checks = [],
}: Partial<Judgement>): Judgement {
  return { good: wrong.length === 0 && notShown.length === 0, wrong, notShown, shown, checks };
}
