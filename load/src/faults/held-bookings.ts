import { setTimeout as sleep } from 'node:timers/promises';

import type { Cluster } from '@lastseat/infra/cluster';

import type { Exchange } from '../generators/exchange.ts';
import { onMachineClock } from '../history/clock.ts';
import { markIn } from '../race/logged-mark.ts';
import type { Buyers } from './buyers.ts';
import { followAll } from './replicas.ts';

/**
 * Bookings that are held between their read and their write (`holdRaceWindow`), so that a fault meets them exactly there.
 * Each says so in its replica's log when it is there: that is how it is known which replica to strike, and afterwards which
 * of them it has met.
 */
export interface HeldBookings extends Disposable {
  /** When all are where they are to be, or when the first of them will soon go on. */
  untilHeld(): Promise<void>;
  /** The replicas, each with how many it holds, the one with most of them first. */
  heldBy(): { part: string; held: number }[];
  /** A fault has struck this replica, or all: those who are held there now are its. */
  struckAt(part: string | null): void;
  /** Those whom it has met, asked when everybody was answered. */
  struck(): Held[];
}

interface Strike {
  part: string | null;
  atMs: number;
}

export interface Held {
  buyers: Buyers;
  /** Its position among those of the buyers. */
  event: number;
  exchange: Exchange;
}

// Of the time that they are held: the rest of it is for the strike.
const ALL_HELD_WITHIN = 0.3;
// To come into the window at all: none waits for another, on a machine that may be busy.
const FIRST_WITHIN_MS = 5_000;
const POLL_MS = 10;

/**
 * Sends one booking for each event, all at once.
 * @param holdMs shorter than a lease: then it is the fault that makes it end too early, and not the wait
 */
export async function holdBookings(
  cluster: Cluster,
  replicas: readonly string[],
  all: readonly Buyers[],
  holdMs: number,
): Promise<HeldBookings> {
  const decided = new Map<string, { part: string; atMs: number }>();
  using following = new DisposableStack();
  following.use(
    await followAll(cluster, replicas, (part, line) => {
      const mark = markIn(line);
      if (mark?.mark === 'decides') decided.set(mark.requestId, { part, atMs: mark.atMs });
    }),
  );
  const held = all.flatMap((buyers) =>
    buyers.tickets.map((_, event): Held => {
      const { exchange } = buyers.send(event, holdMs);
      return { buyers, event, exchange };
    }),
  );
  const sentAtMs = performance.now();
  let strike: Strike | null = null;
  const kept = following.move();

  return {
    async untilHeld() {
      while (isMissing() && onMachineClock(performance.now()) < untilMs()) await sleep(POLL_MS);
    },
    heldBy() {
      const byPart = Map.groupBy(decided.values(), ({ part }) => part);
      return [...byPart]
        .map(([part, { length }]) => ({ part, held: length }))
        .toSorted((a, b) => b.held - a.held);
    },
    struckAt(part) {
      strike = { part, atMs: onMachineClock(performance.now()) };
    },
    struck() {
      return held.filter(({ exchange }) => strike !== null && isStruck(exchange, strike));
    },
    [Symbol.dispose]: () => kept.dispose(),
  };

  function isMissing(): boolean {
    return decided.size < held.filter(({ exchange }) => !exchange.answer).length;
  }

  /** On the clock of the machine. */
  function untilMs(): number {
    const [first] = decided.values();
    return first ? first.atMs + ALL_HELD_WITHIN * holdMs : onMachineClock(sentAtMs + FIRST_WITHIN_MS);
  }

  function isStruck({ answer }: Exchange, { part, atMs }: Strike): boolean {
    const at = decided.get(answer?.requestId ?? '');
    // Whoever was killed has told nobody where it was; nginx answers in its place.
    const isCutOff = answer === null || answer.code === 'unknown';
    if (at === undefined) return isCutOff && part !== null;
    // A strike is there some time before it is known to be.
    return (part === null || part === at.part) && (isCutOff || atMs < at.atMs + holdMs);
  }
}
