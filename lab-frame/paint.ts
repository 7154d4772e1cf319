import { styleText } from 'node:util';

export type Style = 'good' | 'bad' | 'label' | 'strong';

/** Puts a text in colour, or leaves it alone. */
export type Paint = (style: Style, text: string) => string;

const FORMATS: Record<Style, Parameters<typeof styleText>[0]> = {
  good: ['bold', 'green'],
  bad: ['bold', 'red'],
  label: 'dim',
  strong: 'bold',
};

/** Colour for a terminal only, and not if NO_COLOR asks for none: the platform knows both rules. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (style, text) => styleText(FORMATS[style], text, { stream });
}

export const plain: Paint = (_style, text) => text;
