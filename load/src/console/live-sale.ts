import type { ClusterPart } from '@lastseat/infra/cluster';
import { percentile } from '@lastseat/lab-frame/statistics.ts';

import type { Attempt } from '../attempt.ts';
import { lanesOf, nameOf, onRaceClock, takenBy, type PartPause } from '../race/lanes.ts';
import type { LiveMarks, MarkedRequest } from '../race/live-marks.ts';
import type { Race, RaceBuyer, RaceMark } from '../race/race.ts';
import type { Scenario } from '../scenario.ts';
import { isUnknown } from '../tally.ts';

/** A sale as far as it has come: what was asked and answered, beside what the replicas say of it. */
export interface LiveSale {
  scenario: Scenario;
  eventId: number | null;
  startedAt: Date;
  asked: number;
  /** Of those, what was answered. */
  attempts: Attempt[];
}

/** What one replica has done for a sale. */
export interface ReplicaFigures {
  /** Taken, by its own account, and neither answered nor given up. */
  inFlight: number;
  booked: number;
  refused: number;
  busy: number;
  /** Taken by it and never answered, or not by it: it may have been booked. */
  unknown: number;
  p99Ms: number | null;
  /** It has the lock; the token where the lock has one. */
  holds: { token: number | null } | null;
}

/** Under the name of its part. */
export type FiguresByReplica = Record<string, ReplicaFigures>;

export function figuresOf(
  { attempts }: Pick<LiveSale, 'attempts'>,
  marks: Pick<LiveMarks, 'of' | 'all'>,
  replicas: readonly ClusterPart[],
): FiguresByReplica {
  const answered = new Set(attempts.map(({ answer }) => answer?.requestId));
  return Object.fromEntries(
    replicas.map((replica) => {
      const own = attempts.filter((attempt) => takenBy(attempt, marks, replicas) === replica.name);
      const open = marks
        .all()
        .filter(({ part, requestId }) => part === replica.name && !answered.has(requestId))
        .filter(({ marks }) => !has(marks, 'answered'));
      const count = (isCounted: (attempt: Attempt) => boolean): number => own.filter(isCounted).length;
      return [
        replica.name,
        {
          inFlight: open.length,
          booked: count(({ answer }) => answer?.code === 'booked'),
          refused: count(({ answer }) => answer?.status === 409),
          busy: count(({ answer }) => answer?.code === 'busy' || answer?.code === 'unavailable'),
          unknown: count(isUnknown),
          p99Ms: p99Of(own),
          holds: heldBy(open),
        },
      ];
    }),
  );
}

function heldBy(open: readonly MarkedRequest[]): ReplicaFigures['holds'] {
  const holder = open.findLast(
    ({ marks }) => has(marks, 'holds') && !has(marks, 'released') && !has(marks, 'committed'),
  );
  if (!holder) return null;
  return { token: holder.marks.find(({ name }) => name === 'holds')?.value ?? null };
}

function has(marks: readonly RaceMark[], wanted: string): boolean {
  return marks.some(({ name }) => name === wanted);
}

function p99Of(attempts: readonly Attempt[]): number | null {
  const latencies = attempts
    .flatMap(({ startedAtMs, answer }) => (answer ? [answer.receivedAtMs - startedAtMs] : []))
    .toSorted((a, b) => a - b);
  return latencies.length === 0 ? null : Math.round(percentile(latencies, 0.99));
}

export interface SeenInPostgres {
  rows: number;
  available: number;
}

/** The sale as lanes. Null while nobody has told anything. */
export function raceOf(
  sale: LiveSale,
  seen: SeenInPostgres,
  marks: Pick<LiveMarks, 'of' | 'all'>,
  replicas: readonly ClusterPart[],
  pauses: readonly PartPause[],
): { race: Race; untilMs: number } | null {
  const asked = sale.attempts.map(({ answer, buyer, number }) => ({
    customer: nameOf(buyer - 1) + (number > 1 ? ` ·${number}` : ''),
    answer,
  }));
  const buyers = lanesOf(asked, marks, replicas);
  if (buyers.length === 0) return null;

  const { guard, crowd } = sale.scenario;
  const { tickets, raceWindowMs } = crowd;
  const drawn = onRaceClock(buyers, pauses);
  return {
    untilMs: plausible(drawn.sinceFirst(performance.now())),
    race: {
      format: 'lastseat-race/1',
      strategy: guard.name,
      event: sale.eventId ?? 0,
      tickets,
      raceWindowMs,
      ...seen,
      startedAt: sale.startedAt.toISOString(),
      command: `make load STRATEGY=${guard.name} TICKETS=${tickets} BUYERS=${crowd.buyers} RACE_WINDOW_MS=${raceWindowMs}`,
      buyers: drawn.buyers.toSorted((a, b) => arrivalOf(a) - arrivalOf(b)),
      buyerCount: crowd.buyers,
      pauses: drawn.pauses,
    },
  };
}

// Longer than any sale; a clock that says more is not that of the replicas.
const LONGEST_MS = 600_000;

function plausible(sinceMs: number): number {
  return sinceMs >= 0 && sinceMs < LONGEST_MS ? sinceMs : 1;
}

function arrivalOf({ marks }: RaceBuyer): number {
  return marks[0]?.atMs ?? Infinity;
}
