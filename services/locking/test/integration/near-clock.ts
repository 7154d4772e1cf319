import { expect } from 'vitest';

/** Tokens beyond the clock of this century do not depend on it. */
export const farAhead = 4_000_000_000_000_000;

/** Twenty seconds: more than a run of one model takes on the slowest machine. In microseconds. */
const toleranceUs = 20_000_000;

/**
 * The same, but for numbers that both have taken from their clocks: these may be some seconds apart. What is not from a
 * clock is smaller, or far ahead, and must be the same.
 */
export function expectAlike(model: unknown, real: unknown): void {
  expect(near(real, model)).toEqual(model);
}

function near(real: unknown, model: unknown): unknown {
  if (typeof real === 'number' && typeof model === 'number') {
    const fromClock = real > toleranceUs && real < farAhead - toleranceUs;
    return fromClock && Math.abs(real - model) < toleranceUs ? model : real;
  }
  if (typeof real !== 'object' || real === null || typeof model !== 'object' || model === null) return real;
  const entries = Object.entries(real).map(([field, value]) => {
    return [field, near(value, (model as Record<string, unknown>)[field])] as const;
  });
  return Array.isArray(real) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}
