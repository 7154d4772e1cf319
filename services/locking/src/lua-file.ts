import { readFileSync } from 'node:fs';

/**
 * The text of `lua/<file>`. The published package has another module in place of this one, with all texts in it
 * (`packaging/stage-package.ts`): so it reads no file, and a bundler can take it in.
 */
export function readLua(file: string): string {
  return readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
}
