import { STOCK_CHECKS } from '#src/stock-findings.ts';
import type { Audit, Difference } from '#src/storage/audit.ts';

/** What became of an event that was to be mended. */
export interface Mended {
  /** Counter and rows agree now, and no more is sold than there is. */
  isGood: boolean;
  what: string;
}

/** For programs. Its names are stable: new ones may join, none changes its meaning without a new `format`. */
export function auditAsJson({ events, differences }: Audit, mended?: ReadonlyMap<number, Mended>): string {
  const report = {
    format: 'lastseat-audit/1',
    good: differences.every(({ eventId }) => mended?.get(eventId)?.isGood),
    events,
    differences: differences.map((difference) => ({
      ...difference,
      oversold: oversoldOf(difference),
      findings: findingsOf(difference),
      ...(mended === undefined ? {} : { mended: mended.get(difference.eventId) }),
    })),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

export function auditAsText({ events, differences }: Audit, mended?: ReadonlyMap<number, Mended>): string {
  const all = `${events.toLocaleString('en-US')} ${events === 1 ? 'event' : 'events'}`;
  if (differences.length === 0) return `${all}: counters and booking rows agree.\n`;
  const heading = ['event', 'capacity', 'available', 'booked by counter', 'booked by rows', 'oversold'];
  const rows = differences.map((difference) => {
    const { eventId, capacity, available, bookedByCounter, bookedByRows } = difference;
    return [eventId, capacity, available, bookedByCounter, bookedByRows, oversoldOf(difference)].map(String);
  });
  const sentences = differences.map((difference) => {
    const { eventId, name } = difference;
    const details = findingsOf(difference).map(({ detail }) => detail);
    const end = mended?.get(eventId)?.what;
    return `event ${eventId}, ${JSON.stringify(name)}: ${[...details, ...(end === undefined ? [] : [end])].join('; ')}`;
  });
  const hint = mended === undefined ? ' make audit FIX=1 sets the counters to what the rows say.' : '';
  return [
    ...columns([heading, ...rows]),
    '',
    ...sentences,
    '',
    `${differences.length} of ${all} ${differences.length === 1 ? 'differs' : 'differ'}.${hint}`,
    '',
  ].join('\n');
}

function findingsOf(difference: Difference): { kind: string; detail: string }[] {
  const { capacity, available, bookedByRows, heldByCounter, heldByRows } = difference;
  const findings = Object.entries(STOCK_CHECKS).flatMap(([kind, check]) => {
    const detail = check({ capacity, available, booked: bookedByRows });
    return detail === null ? [] : [{ kind, detail }];
  });
  if (heldByCounter === heldByRows && findings.length > 0) return findings;
  const detail = `the held stock says ${heldByCounter} held, the booking rows say ${heldByRows}`;
  return [...findings, { kind: 'held_differs', detail }];
}

export function oversoldOf({ capacity, bookedByRows }: Difference): number {
  return Math.max(0, bookedByRows - capacity);
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
}
