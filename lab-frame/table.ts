import Table from 'cli-table3';

import { padEnd, visibleLength } from './box.ts';

/**
 * Columns as wide as what is in them: the first one to the left, numbers to the right. A row that is too short has a
 * remark in place of its numbers, which may be as long as it likes.
 */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const isRemark = (row: readonly string[]): boolean => row.length < header.length;
  const lines = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: header.map((_, column) => (column === 0 ? 'left' : 'right')),
  });
  lines.push([...header]);
  // A remark would make its columns as wide as itself: it is put in place afterwards.
  const blanks = header.slice(1).map(() => '');
  for (const row of rows) lines.push(isRemark(row) ? [row[0] ?? '', ...blanks] : [...row]);
  const [first = '', ...others] = lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  const width = Math.max(...[header, ...rows].map(([cell = '']) => visibleLength(cell)));
  return [
    first,
    ...others.map((line, index) => {
      const row = rows[index] ?? [];
      if (!isRemark(row)) return line;
      return [padEnd(line, width), ...row.slice(1)].join(GAP).trimEnd();
    }),
  ];
}

const GAP = '   ';

// cli-table3 draws a frame unless each of its pieces is nothing.
const EDGES = ['top', 'bottom', 'left', 'right', 'mid'];
const CORNERS = ['top-mid', 'top-left', 'top-right', 'bottom-mid', 'bottom-left', 'bottom-right'];
const CROSSINGS = ['left-mid', 'mid-mid', 'right-mid'];
const NOTHING = Object.fromEntries([...EDGES, ...CORNERS, ...CROSSINGS].map((piece) => [piece, '']));
const NO_LINES = { ...NOTHING, middle: GAP };

export const nothing = '-';

/** Three digits that matter, thousands set apart. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return nothing;
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : nothing;
}

export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : nothing;
}
