import type { Arena } from '../faults/arena.ts';
import type { Race } from '../race/race.ts';
import type { Pitfall } from './pitfalls.ts';
import { openStage } from './stage.ts';

/** One strategy of a pitfall, and what came of it. */
export interface Played {
  pitfall: string;
  variant: 'broken' | 'right';
  strategy: string;
  /** By the rows in Postgres, and what they must say. */
  sold: number;
  expected: number;
  /** What its counter says is left. */
  available: number;
  /** Who was told what, in the order in which they asked. */
  told: { customer: string; outcome: string }[];
  isAsItMustBe: boolean;
  race: Race;
}

export async function playPitfall(
  arena: Arena,
  pitfall: Pitfall,
  variant: Played['variant'],
): Promise<Played> {
  const strategy = `${pitfall.name}-${variant}`;
  await using stage = await openStage(arena, strategy, pitfall.tickets);
  await pitfall.play(stage);
  const race = await stage.recorded(pitfall.tickets, `make pitfalls ONLY=${pitfall.name}`);
  const expected = pitfall.sells[variant];
  return {
    pitfall: pitfall.name,
    variant,
    strategy,
    sold: race.rows,
    expected,
    available: race.available,
    told: race.buyers.map(({ customer, outcome }) => ({ customer, outcome: outcome ?? 'nothing' })),
    isAsItMustBe: race.rows === expected,
    race,
  };
}

/** In the words of the table and of the page. */
export function verdictInWords({ variant, isAsItMustBe }: Pick<Played, 'variant' | 'isAsItMustBe'>): string {
  if (variant === 'broken') return isAsItMustBe ? 'broken, as it must be' : 'DID NOT BREAK';
  return isAsItMustBe ? 'held' : 'BROKE';
}

export function toldInWords({ told }: Pick<Played, 'told'>): string {
  return told.map(({ customer, outcome }) => `${customer} ${outcome.replaceAll('_', ' ')}`).join(', ');
}
