import { MAX_RACE_WINDOW_MS } from '@lastseat/booking/contract';
import { UsageError } from '@lastseat/infra/command-line';

import { GUARD_NAMES } from '../scenario.ts';
import type { SaleWishes } from './control.ts';

/** What a sale may be asked to be: as large as can still be looked at. */
export const LIMITS = {
  buyers: { min: 1, max: 1_000 },
  tickets: { min: 1, max: 1_000 },
  raceWindowMs: { min: 0, max: MAX_RACE_WINDOW_MS },
  replicas: { min: 1, max: 32 },
} as const;

type Body = Readonly<Record<string, unknown>>;

export function readWishes(body: Body): SaleWishes {
  const guard = GUARD_NAMES.find((name) => name === body['strategy']);
  if (guard === undefined) throw new UsageError(`strategy: one of ${GUARD_NAMES.join(', ')}`);
  return {
    guard,
    buyers: wholeNumber(body, 'buyers'),
    tickets: wholeNumber(body, 'tickets'),
    raceWindowMs: wholeNumber(body, 'raceWindowMs'),
  };
}

export function readReplicas(body: Body): number {
  return wholeNumber(body, 'replicas');
}

function wholeNumber(body: Body, name: keyof typeof LIMITS): number {
  const { min, max } = LIMITS[name];
  const number = body[name];
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw new UsageError(`${name}: a whole number from ${min} to ${max}`);
}
