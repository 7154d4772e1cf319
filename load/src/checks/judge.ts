import {
  endedUnknown,
  instanceUnnamed,
  neverSoldOut,
  receivedMore,
  requestUnnamed,
  refusedTooEarly,
  unaccounted,
  unexpectedAnswer,
} from './answers.ts';
import {
  anotherRun,
  bookedTwice,
  bookedWithoutRow,
  eventReset,
  lookUpDiffers,
  rowDiffers,
  rowWithoutBuyer,
  sameBookingTwice,
  strategyDiffers,
} from './bookings.ts';
import {
  contentionNotShown,
  losersOnOneInstance,
  notInPostgres,
  oneInstance,
  replicaLeftOut,
} from './contention.ts';
import type { Evidence } from './evidence.ts';
import { capacityDiffers, counterDiffers, oversellNotShown, oversold, undersold } from './stock.ts';
import { tokenMissing, tokensFall } from './tokens.ts';

/** Says in one plain sentence what is wrong, or null. */
export type Check = (evidence: Evidence) => string | null;

/** Every check, by the name of what it finds, the gravest first. */
export const CHECKS = {
  event_reset: eventReset,
  oversold,
  undersold,
  counter_differs: counterDiffers,
  capacity_differs: capacityDiffers,
  oversell_not_shown: oversellNotShown,
  booked_without_row: bookedWithoutRow,
  row_without_buyer: rowWithoutBuyer,
  another_run: anotherRun,
  booked_twice: bookedTwice,
  same_booking_twice: sameBookingTwice,
  row_differs: rowDiffers,
  strategy_differs: strategyDiffers,
  token_missing: tokenMissing,
  tokens_fall: tokensFall,
  refused_too_early: refusedTooEarly,
  never_sold_out: neverSoldOut,
  ended_unknown: endedUnknown,
  unaccounted,
  received_more: receivedMore,
  unexpected_answer: unexpectedAnswer,
  look_up_differs: lookUpDiffers,
  instance_unnamed: instanceUnnamed,
  request_unnamed: requestUnnamed,
  one_instance: oneInstance,
  losers_on_one_instance: losersOnOneInstance,
  not_in_postgres: notInPostgres,
  replica_left_out: replicaLeftOut,
} satisfies Record<string, Check>;

/** The last two have places of their own: not a fault, and found only after all runs (`lookAgain`). */
export type FindingKind = keyof typeof CHECKS | 'contention_not_shown' | 'changed_afterwards';

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
}

// A counter that is written from a stale reading also gives tickets back that were gone.
const TO_BE_SHOWN: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'oversold',
  'counter_differs',
  'refused_too_early',
]);

export function judge(evidence: Evidence): Judgement {
  const findings = Object.entries(CHECKS).flatMap(([kind, check]): Finding[] => {
    const detail = check(evidence);
    return detail === null ? [] : [{ kind: kind as FindingKind, detail }];
  });
  // What was booked before a reset is gone: nothing else can be said of such a run.
  const reset = findings.filter(({ kind }) => kind === 'event_reset');
  if (reset.length > 0) return judgement({ wrong: reset });

  const isShown = ({ kind }: Finding): boolean =>
    evidence.terms.sells === 'too many' && TO_BE_SHOWN.has(kind);
  const wrong = findings.filter((finding) => !isShown(finding));
  const missing = contentionNotShown(evidence);
  return judgement({
    wrong,
    notShown: missing === null ? [] : [{ kind: 'contention_not_shown', detail: missing }],
    shown: findings.filter(isShown),
  });
}

export function judgement({ wrong = [], notShown = [], shown = [] }: Partial<Judgement>): Judgement {
  return { good: wrong.length === 0 && notShown.length === 0, wrong, notShown, shown };
}
