import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import type { Drill, Scene } from '../drills/drill.ts';

/** One fault of a soak, or two at the same time. */
export interface PlannedFault {
  /** From 1. */
  number: number;
  drills: readonly Drill[];
  /** What is drawn for it: the replica, how long it lasts. */
  random(): number;
}

/** How often a second fault strikes with the first. */
const TWO_AT_ONCE = 1 / 3;
// Each fault draws from numbers of its own, however many the one before it has used.
const MOST_FAULTS = 1_000_003;

/** The faults of a seed, without an end: all drills in a random order, and then all again in another one. */
export function* faultsOf(seed: number, drills: readonly Drill[]): Generator<PlannedFault, never> {
  const random = randomNumbers(seed);
  for (let number = 1; ;) {
    for (const drill of shuffled(drills, random)) {
      const partners = drills.filter((other) => canStrikeTogether(drill, other));
      const isPair = random() < TWO_AT_ONCE;
      const partner = partners[Math.floor(random() * partners.length)];
      yield {
        number,
        drills: isPair && partner ? [drill, partner] : [drill],
        random: randomNumbers(seed * MOST_FAULTS + number),
      };
      number += 1;
    }
  }
}

function shuffled<T>(things: readonly T[], random: () => number): T[] {
  const left = [...things];
  return things.flatMap(() => left.splice(Math.floor(random() * left.length), 1));
}

function canStrikeTogether(a: Drill, b: Drill): boolean {
  return a.where !== undefined && b.where !== undefined && a.where !== b.where;
}

/**
 * Several faults as one. Replicas are struck first: some faults need a booking under way there, and without its servers
 * there is none. They are healed last: a replica that starts waits for its servers.
 */
export function together(drills: readonly Drill[]): Drill {
  const [only, ...others] = drills as [Drill, ...Drill[]];
  if (others.length === 0) return only;
  const inOrder = drills.toSorted((a, b) => rank(a) - rank(b));
  return {
    name: drills.map(({ name }) => name).join(' + '),
    what: drills.map(({ what }) => what).join('; at the same time '),
    breaks: drills.flatMap(({ breaks }) => breaks),
    holds: drills.some(({ holds }) => holds),
    strikesAll: drills.some(({ strikesAll }) => strikesAll),
    lastsMs: [
      Math.max(...drills.map(({ lastsMs: [least] }) => least)),
      Math.max(...drills.map(({ lastsMs: [, most] }) => most)),
    ],
    floors: { during: 0, after: 0 },
    async strike(scene) {
      for (const drill of inOrder) await drill.strike(scene);
    },
    heal: (scene) => healAll(inOrder.toReversed(), scene),
  };
}

/** That one cannot be healed keeps no other from it. */
async function healAll(drills: readonly Drill[], scene: Scene): Promise<void> {
  const errors: unknown[] = [];
  for (const drill of drills) await drill.heal(scene).catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

function rank({ where }: Drill): number {
  return where === 'replicas' ? 0 : 1;
}
