import type { Calls } from './calls.ts';
import { loadScript } from './script.ts';

/** What a lock does with Redis. */
export interface Uses {
  /** A key as its keys are. */
  readonly key: string;
  /** A channel as its channels are, if it has any. */
  readonly channel?: string;
  /** The texts of its scripts. */
  readonly scripts: readonly string[];
  /** The commands that it sends beside scripts. */
  readonly commands?: readonly string[];
}

const script = loadScript('check-rights');

/** What of that the user of Redis may not do. Nothing where the server cannot tell (before version 7). */
export async function commandsNotPermitted(
  calls: Calls,
  { key, channel = '', scripts, commands = [] }: Uses,
): Promise<string[]> {
  const names = new Set(['EVALSHA', 'EVAL', ...commands]);
  for (const text of scripts) {
    for (const [, name = ''] of text.matchAll(/redis\.p?call\('([A-Z]+)'/g)) names.add(name);
  }
  try {
    return (await calls.run(script, [key], [channel, ...names])).reply as string[];
  } catch (error) {
    // It may not even call a script, or not with these keys.
    if (error instanceof Error && error.message.startsWith('NOPERM')) throw error;
    return [];
  }
}
