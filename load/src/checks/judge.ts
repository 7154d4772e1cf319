import {
  endedUnknown,
  instanceUnnamed,
  losersOnOneInstance,
  oneInstance,
  unaccounted,
  unexpectedAnswer,
} from './answers.ts';
import {
  bookedTwice,
  bookedWithoutRow,
  rowDiffers,
  rowWithoutBuyer,
  sameBookingTwice,
  strategyDiffers,
} from './bookings.ts';
import type { Evidence } from './evidence.ts';
import { capacityDiffers, counterDiffers, oversellNotShown, oversold, undersold } from './stock.ts';

/** Says in one plain sentence what is wrong, or null. */
export type Check = (evidence: Evidence) => string | null;

/** Every check, by the name of what it finds, the gravest first. */
export const CHECKS = {
  oversold,
  undersold,
  counter_differs: counterDiffers,
  capacity_differs: capacityDiffers,
  oversell_not_shown: oversellNotShown,
  booked_without_row: bookedWithoutRow,
  row_without_buyer: rowWithoutBuyer,
  booked_twice: bookedTwice,
  same_booking_twice: sameBookingTwice,
  row_differs: rowDiffers,
  strategy_differs: strategyDiffers,
  ended_unknown: endedUnknown,
  unaccounted,
  unexpected_answer: unexpectedAnswer,
  instance_unnamed: instanceUnnamed,
  one_instance: oneInstance,
  losers_on_one_instance: losersOnOneInstance,
} satisfies Record<string, Check>;

export type FindingKind = keyof typeof CHECKS;

export interface Finding {
  kind: FindingKind;
  detail: string;
}

export interface Judgement {
  good: boolean;
  /** What is wrong with the run. */
  wrong: Finding[];
  /** What an unguarded run is there to show: the oversell, and the counter that hides it. */
  shown: Finding[];
}

const TO_BE_SHOWN: ReadonlySet<FindingKind> = new Set<FindingKind>(['oversold', 'counter_differs']);

export function judge(evidence: Evidence): Judgement {
  const findings = Object.entries(CHECKS).flatMap(([kind, check]): Finding[] => {
    const detail = check(evidence);
    return detail === null ? [] : [{ kind: kind as FindingKind, detail }];
  });
  const isShown = ({ kind }: Finding): boolean =>
    evidence.terms.sells === 'too many' && TO_BE_SHOWN.has(kind);
  const wrong = findings.filter((finding) => !isShown(finding));
  return { good: wrong.length === 0, wrong, shown: findings.filter(isShown) };
}
