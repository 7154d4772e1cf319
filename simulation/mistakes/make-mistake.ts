import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

import type { Mistake } from './mistakes.ts';

const root = new URL('../../', import.meta.url);

/** From here on that source is loaded with the mistake. Throws when it is loaded and the place is not there exactly once. */
export function makeMistake({ name, file, right, wrong }: Mistake): void {
  const url = new URL(file, root).href;
  registerHooks({
    load(loaded, context, nextLoad) {
      const result = nextLoad(loaded, context);
      if (loaded !== url) return result;
      const parts = textOf(result.source).split(right);
      if (parts.length !== 2) {
        throw new Error(`"${name}": ${fileURLToPath(url)} has ${parts.length - 1} places with: ${right}`);
      }
      return { ...result, source: parts.join(wrong) };
    },
  });
}

function textOf(source: unknown): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source as Uint8Array);
}
