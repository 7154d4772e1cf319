import type { Paint } from '@lastseat/lab-frame/paint.ts';
import { sum } from '@lastseat/lab-frame/statistics.ts';
import { nothing, number, table, whole } from '@lastseat/lab-frame/table.ts';
import { agree, count, thousands } from '@lastseat/lab-frame/words.ts';

import { RULE, type Course } from './flat.ts';
import type { Violation } from './round.ts';
import type { Fault } from './strike.ts';
import type { Totals } from './totals.ts';

const ALL = 'all';

/** A line for each kind of fault, over all that struck. */
export function faultsTable(faults: readonly Fault[], paint: Paint): string {
  const names = [...new Set(faults.flatMap(({ drills }) => drills))].toSorted();
  const rows = names.map((name) =>
    lineOf(
      name,
      faults.filter(({ drills }) => drills.includes(name)),
    ),
  );
  const header = [
    'fault',
    'struck',
    'of these with another',
    'missed',
    'requests',
    'refused',
    'unknown',
    'lasted at most',
    'slowest recovery',
  ];
  const [first = '', ...lines] = table(header, [...rows, lineOf(ALL, faults)]);
  return [paint('label', first), ...lines].join('\n');
}

function lineOf(name: string, faults: readonly Fault[]): string[] {
  const struck = faults.filter(({ missed }) => missed === null);
  // Of all together, two at the same time are two.
  const times = (some: readonly Fault[]): string =>
    whole(sum(some.map(({ drills }) => (name === ALL ? drills.length : 1))));
  const total = (of: (fault: Fault) => number): string => whole(sum(faults.map(of)));
  const recovered = faults.map(({ recoveredMs }) => recoveredMs);
  return [
    name,
    times(struck),
    times(struck.filter(({ drills }) => drills.length > 1)),
    times(faults.filter(({ missed }) => missed !== null)),
    total(({ requests }) => requests.sent),
    total(({ requests }) => requests.refused),
    total(({ requests }) => requests.unknown),
    inSeconds(Math.max(0, ...faults.map(({ lastedMs }) => lastedMs))),
    recovered.includes(null) ? nothing : inSeconds(Math.max(0, ...recovered.map(Number))),
  ];
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

export function coursesTable(
  courses: readonly Course[],
  oldestReplica: number,
  looks: number,
  paint: Paint,
): string {
  const rows = courses.map(({ what, first, last, halves, verdict }) => [
    what,
    number(first),
    number(last),
    number(halves[0]),
    number(halves[1]),
    paint(verdict === 'grew' ? 'bad' : verdict === 'flat' ? 'good' : 'strong', verdict),
  ]);
  const header = ['used, while nobody asks', 'at first', 'at last', 'first half', 'second half', ''];
  const [first = '', ...lines] = table(header, rows);
  const oldest = looks === 0 ? nothing : `${count(oldestReplica, 'look')} of ${looks}`;
  return [
    paint('label', first),
    ...lines,
    paint(
      'label',
      `${RULE}. No process of a replica was there for more than ${oldest} in a row: faults end them.`,
    ),
  ].join('\n');
}

export function violationLines(violations: readonly Violation[], paint: Paint): string[] {
  return violations.map(
    ({ round, of, faults, check, detail }) =>
      `${paint('bad', check)}  ${of}, round ${round}, fault ${faults}: ${detail}`,
  );
}

/** One sentence for whoever reads nothing else. */
export function conclusion({ faults, violations, courses, requests, events }: Totals, paint: Paint): string {
  const what =
    `${count(faults, 'fault')}, ${count(requests.sent, 'request')}, ` +
    `${thousands(requests.unknown)} of unknown end of which ${thousands(requests.unknown - requests.open)} were settled; ` +
    `${count(events.judged, 'event')}, ${thousands(events.undecided)} of which without a decision on linearizability`;
  if (violations.length > 0)
    return `${paint('bad', 'BROKE')}  ${count(violations.length, 'check')} failed. ${what}.`;
  const grew = courses.filter(({ verdict }) => verdict === 'grew').map(({ what }) => what);
  if (grew.length > 0)
    return `${paint('strong', 'GREW')}  Nothing was sold, lost or told wrongly, but ${grew.join(', ')} ${agree(grew.length, 'has', 'have')} grown. ${what}.`;
  if (faults === 0) return `${paint('strong', 'NOT SHOWN')}  Not one fault struck.`;
  return `${paint('good', 'PASS')}  Nothing was oversold, undersold, doubled or lost. ${what}.`;
}
