import type { AcquireDefaultOptions, AcquireOptions } from './lock.ts';

/** Typed so that an option which is added to the interface has to be added here. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/** What every kind of lock is told once. */
export const defaultOptionNames: OptionNames<AcquireDefaultOptions> = {
  waitMs: true,
  ttlMs: true,
  renew: true,
  maxHoldMs: true,
};

export const acquireOptionNames: OptionNames<AcquireOptions> = {
  ...defaultOptionNames,
  signal: true,
  tokenAbove: true,
};

/**
 * An option that is misspelt would do nothing, and nobody would know.
 * @throws TypeError names it, and the one that was probably meant
 */
export function checkKnown(options: object, known: Readonly<Record<string, true>>): void {
  for (const name in options) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const meant = nearest(name, names);
    const hint = meant === undefined ? `The options are ${names.join(', ')}.` : `Did you mean ${meant}?`;
    throw new TypeError(`There is no option ${JSON.stringify(name)}. ${hint}`);
  }
}

/** The name that shares most pairs of letters with the word, if that is at least half of them: `retryDelay`, `ttl_ms`. */
function nearest(word: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, likeness: likeness(pairs(word), pairs(name)) }))
    .filter(({ likeness }) => likeness >= 0.5)
    .toSorted((a, b) => b.likeness - a.likeness);
  return best?.name;
}

/** Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = [...a].filter((pair) => b.has(pair)).length;
  return (2 * shared) / (a.size + b.size);
}

function pairs(word: string): Set<string> {
  const letters = word.toLowerCase().replaceAll(/[^a-z]/g, '');
  return new Set(Array.from(letters, (letter, i) => letter + (letters[i + 1] ?? '')));
}
