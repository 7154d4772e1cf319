import { stripVTControlCharacters } from 'node:util';

/** A frame of fixed width around sections of lines, with a title in its upper edge. */
export function box(title: string, sections: readonly (readonly string[])[], width: number): string {
  const inner = width - 4;
  const edge = (left: string, right: string, text = ''): string =>
    `${left}─${text}${'─'.repeat(Math.max(0, width - 3 - visibleLength(text)))}${right}`;
  const body = sections.map((lines) => lines.map((line) => `│ ${padEnd(line, inner)} │`).join('\n'));
  return [edge('╭', '╮', ` ${title} `), body.join(`\n${edge('├', '┤')}\n`), edge('╰', '╯')].join('\n');
}

/** Colours take no room on the screen. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleLength(text)));
}

export function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}
