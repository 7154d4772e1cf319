import { writeJson } from '@lastseat/infra/command-line';
import { onInterruption } from '@lastseat/lab-frame/interruption.ts';
import { paintFor } from '@lastseat/lab-frame/paint.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { count } from '@lastseat/lab-frame/words.ts';

import type { Options } from '../options.ts';
import { playMistake, type Found } from './play-mistake.ts';

const INTERRUPTED = 130;

/** One after another; a line for each, as soon as it is known. @returns the exit code */
export async function playMistakes(
  { mistakes, runs, seed, json }: Pick<Options, 'mistakes' | 'runs' | 'seed' | 'json'>,
  speak: (text: string) => void,
): Promise<number> {
  const signal = onInterruption('what was found is kept');
  const paint = paintFor(process.stdout);
  const all: Found[] = [];
  for (const mistake of mistakes) {
    if (signal.aborted) break;
    speak(`\n${paint('strong', mistake.name)} · ${mistake.what}`);
    const found = await playMistake(mistake, { strikes: runs, seed }).catch((error: unknown) => {
      // Ctrl-C of a terminal reaches the drill in the copy too, which then may have nothing to tell.
      if (signal.aborted) return null;
      throw error;
    });
    if (found === null || signal.aborted) break;
    all.push(found);
    const { drill, strategy, strikes, checks, detail } = found;
    speak(
      found.isFound
        ? `${paint('good', 'found')} by ${drill} with ${strategy}, strike ${strikes}: ${checks.join(', ')}\n    ${detail}`
        : `${paint('bad', 'not found')} in ${count(strikes, 'strike')} of ${drill} with ${strategy}`,
    );
  }
  if (all.length > 1) {
    const rows = all.map(({ mistake, drill, strategy, isFound, strikes, checks }) => [
      mistake,
      drill,
      strategy,
      isFound ? String(strikes) : 'not found',
      checks.join(', '),
    ]);
    speak(`\n${table(['mistake', 'drill', 'guard', 'strikes', 'by'], rows).join('\n')}`);
  }
  await writeJson(json, { seed, mistakes: all });
  if (signal.aborted) return INTERRUPTED;
  return all.every(({ isFound }) => isFound) ? 0 : 1;
}
