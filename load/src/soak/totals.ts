import { sum } from '@lastseat/lab-frame/statistics.ts';

import type { Course } from './flat.ts';
import type { Round, Violation } from './round.ts';

/** What came of a whole soak. */
export interface Totals {
  /** Those that struck; two at the same time are two. */
  faults: number;
  requests: { sent: number; unknown: number; open: number };
  events: { judged: number; undecided: number };
  violations: Violation[];
  courses: Course[];
}

export function totalsOf(rounds: readonly Round[], courses: Course[], last: readonly Violation[]): Totals {
  const struck = rounds.flatMap(({ faults }) => faults).filter(({ missed }) => missed === null);
  const open = sum(rounds.map(({ requests }) => requests.open));
  const violations = [...rounds.flatMap(({ violations }) => violations), ...last];
  return {
    faults: sum(struck.map(({ drills }) => drills.length)),
    requests: {
      sent: sum(rounds.map(({ requests }) => requests.sent)),
      unknown: sum(rounds.map(({ requests }) => requests.unknown)),
      open,
    },
    events: {
      judged: sum(rounds.map(({ events }) => events.judged)),
      undecided: sum(rounds.map(({ events }) => events.undecided)),
    },
    violations:
      open === 0
        ? violations
        : [
            ...violations,
            {
              round: 0,
              of: 'all',
              faults: 'any',
              check: 'settled',
              detail: `${open} requests of unknown end are not settled`,
            },
          ],
    courses,
  };
}
