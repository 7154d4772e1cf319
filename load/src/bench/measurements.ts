import type { Guarantee, StrategyName } from '@lastseat/booking/contract';

/**
 * What a bench has found out, part by part. Programs read these names in the JSON report: add, but do not rename.
 *
 * A measurement that cannot be believed is kept and marked `void` with the reason; no figure is made of it.
 */
export interface Measurements {
  cells: Cell[];
  commitCycles: CommitCycle[];
  rushes: Rush[];
  sweeps: SweepStep[];
  messages: MessagesPerBooking[];
  exactness: ExactRun[];
  comparisons: SweepStep[];
}

export function nothing(): Measurements {
  return {
    cells: [],
    commitCycles: [],
    rushes: [],
    sweeps: [],
    messages: [],
    exactness: [],
    comparisons: [],
  };
}

/**
 * Two routes are measured like guards: the one that touches nothing, which is what the stack itself can do, and the
 * service's own. There nginx sends an event's buyers to its home and from there only as far as need be, while those of
 * `/book/...` are spread over all replicas, to contend.
 */
export type GuardName = StrategyName | 'no-op' | `${StrategyName} at home` | Variant;

/**
 * The service's own route and strategy, but each booking is a hold, or has an idempotency key of its own, or a customer of
 * its own of an event that limits what a customer may have.
 */
export const HOLDS = 'holds at home';
export const KEYED = 'keyed bookings at home';
export const LIMITED = 'limited bookings at home';
export const VARIANTS = [HOLDS, KEYED, LIMITED] as const;

type Variant = (typeof VARIANTS)[number];

/** The processes that share the machine. */
export const PARTS = ['nginx', 'replicas', 'redis', 'postgres', 'harness'] as const;

export type Part = (typeof PARTS)[number];

/** One guard under one load. */
export interface Workload {
  guard: GuardName;
  connections: number;
  /** 1 is one hot event; with more, each request picks one at random. */
  events: number;
}

export function isSame(one: Workload, other: Workload): boolean {
  return one.guard === other.guard && one.connections === other.connections && one.events === other.events;
}

/** A workload measured for one short window. */
export interface Cell extends Workload, Books {
  repeat: number;
  windowMs: number;
  /** Answered with 201 within the window. */
  bookingsPerS: number;
  /** Any other answer: sold out, busy, unavailable. */
  refusalsPerS: number;
  /** Of the bookings under way in the window, from writing the request to the last byte of its answer. */
  latencyMs: Latency | null;
  /** CPU seconds used per second; null where it cannot be read. */
  cpuCores: Record<Part, number> | null;
}

export interface Latency {
  p50: number;
  p99: number;
  max: number;
}

/** The same from two sides, over the whole of a run: what was answered, and what Postgres holds. */
export interface Books {
  started: number;
  answered: number;
  /** Answers by status. */
  statuses: Record<string, number>;
  /** Booking rows; null for the no-op route, which makes none. */
  rows: number | null;
  /** Rows that the events' counters know nothing of: sold, and still for sale. */
  uncounted: number;
  /** Why none of it can be believed; null if it can. */
  void: string | null;
}

/** How long Postgres takes for one batch after the other, when nothing else is going on: mostly for the disk. */
export interface CommitCycle {
  repeat: number;
  /** Bookings in each. */
  batch: number;
  cycles: number;
  /** From sending one to its answer: the median. */
  ms: number;
}

/** A crowd that wants the same single ticket, beside the same crowd at the no-op route. */
export interface Rush {
  repeat: number;
  guard: StrategyName;
  buyers: number;
  connections: number;
  booked: number;
  rows: number;
  refusalsPerS: number;
  noopPerS: number;
  void: string | null;
}

/** One guard at one number of replicas. */
export interface SweepStep extends Cell {
  replicas: number;
  /** Whether the other numbers were measured in the same repeat: then those of one repeat may be compared. */
  isInterleaved: boolean;
}

/** Counted on the wire in a pass of its own, which is not timed. */
export interface MessagesPerBooking {
  guard: StrategyName;
  connections: number;
  bookings: number;
  statements: number;
  postgresRoundTrips: number;
  redisCommands: number;
  redisRoundTrips: number;
}

/** A crowd against a small stock, judged by what is left in Postgres. */
export interface ExactRun {
  guard: StrategyName;
  guarantee: Guarantee;
  run: number;
  raceWindowMs: number;
  capacity: number;
  confirmed: number;
  oversold: number;
  undersold: number;
  /** What else was wrong with it: then it says nothing. */
  void: string | null;
}
