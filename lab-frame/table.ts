import { stripVTControlCharacters } from 'node:util';

/**
 * Columns as wide as what is in them: the first one to the left, numbers to the right. A row that is too short has a
 * remark in place of its numbers, which may be as long as it likes.
 */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [header, ...rows];
  const isRemark = (line: readonly string[]): boolean => line.length < header.length;
  const widths = header.map((_, column) => {
    const cells = lines.filter((line) => column === 0 || !isRemark(line)).map((line) => line[column] ?? '');
    return Math.max(...cells.map(widthOf));
  });
  return lines.map((line) =>
    line
      .map((cell, column) => {
        const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
        return column === 0 || isRemark(line) ? cell + space : space + cell;
      })
      .join('   ')
      .trimEnd(),
  );
}

/** Colours take no room on the screen. */
function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

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
