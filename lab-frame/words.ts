/** Numbers as a person reads them: `1 ticket`, `1,000 buyers`. */
export function count(amount: number, noun: string, plural = `${noun}s`): string {
  return `${thousands(amount)} ${amount === 1 ? noun : plural}`;
}

export function thousands(amount: number): string {
  return amount.toLocaleString('en-US');
}

/** The verb to a number: `agree(2, 'is', 'are')`. */
export function agree(amount: number, one: string, many: string): string {
  return amount === 1 ? one : many;
}

// Enough to go and look for oneself; a thousand of them would bury the sentence.
const EXAMPLES = 3;

/** Some of the things that a sentence speaks of: ` (a, b, c and 97 more)`, or nothing for none. */
export function examples(things: readonly string[]): string {
  if (things.length === 0) return '';
  const shown = things.slice(0, EXAMPLES).join(', ');
  const more = things.length - EXAMPLES;
  return more > 0 ? ` (${shown} and ${thousands(more)} more)` : ` (${shown})`;
}
