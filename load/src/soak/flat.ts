import { median } from '@lastseat/lab-frame/statistics.ts';

import { MEMORY, type Footprint } from './footprint.ts';

/** How a quantity fared from the first look at it to the last one. */
export interface Course {
  what: string;
  first: number;
  last: number;
  /** Medians of the first and the second half of all looks. */
  halves: [first: number, second: number];
  verdict: 'flat' | 'grew' | 'not shown';
}

// Fewer say nothing of a course: a part that has just been started again uses less.
const LEAST_LOOKS = 8;
const MOST_GROWTH = 1.1;
// What a few megabytes, connections or keys more are, depends on the moment of the look.
const SLACK = { memory: 8, other: 5 };

/** The rule, for whoever reads the verdict. */
export const RULE =
  `grew: the median of the second half of all looks is more than a tenth, and more than ${SLACK.memory} MB or ` +
  `${SLACK.other} of anything else, above that of the first half; not shown: fewer than ${LEAST_LOOKS} looks`;

export function coursesOf(looks: readonly Footprint[]): Course[] {
  const names = Object.keys(looks[0]?.values ?? {});
  return names.map((what) => {
    const values = looks.flatMap(({ values }) => values[what] ?? []).filter(Number.isFinite);
    const middle = Math.floor(values.length / 2);
    const halves: Course['halves'] = [
      median(values.slice(0, middle)) ?? 0,
      median(values.slice(middle)) ?? 0,
    ];
    return {
      what,
      first: values[0] ?? Number.NaN,
      last: values.at(-1) ?? Number.NaN,
      halves,
      verdict: values.length < LEAST_LOOKS ? 'not shown' : isGrown(what, halves) ? 'grew' : 'flat',
    };
  });
}

function isGrown(what: string, [first, second]: Course['halves']): boolean {
  const slack = what.startsWith(MEMORY) ? SLACK.memory : SLACK.other;
  return second > MOST_GROWTH * first && second > first + slack;
}

/** For how many looks in a row a replica was the same process, at most: what is often started anew shows no slow leak. */
export function oldestOf(looks: readonly Pick<Footprint, 'pids'>[]): number {
  let oldest = 0;
  const ages = new Map<number, number>();
  for (const { pids } of looks) {
    const now = Object.entries(pids).flatMap(([part, pid]) => (part.startsWith('booking') ? [pid] : []));
    for (const pid of ages.keys()) if (!now.includes(pid)) ages.delete(pid);
    for (const pid of now) {
      ages.set(pid, (ages.get(pid) ?? 0) + 1);
      oldest = Math.max(oldest, ages.get(pid) ?? 0);
    }
  }
  return oldest;
}
