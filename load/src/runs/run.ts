import type { StrategyName } from '@lastseat/booking/contract';
import type { Latency } from '@lastseat/lab-frame/latency.ts';
import type { Circumstances } from '@lastseat/lab-frame/results/recorded-run.ts';

import type { SettledCounts } from '../history/settled.ts';

/**
 * One run of the lab, as it is kept in `.lastseat/runs/<time>-<name>/run.json`. Reports, comparisons and programs read
 * it: new names may join, none changes its meaning without a new `format`.
 *
 * A run is a matrix: each *cell* is one workload against one strategy, with so many replicas and connections. A cell is
 * measured several times, in turn with all the others; each time is a *slice*, on events of its own.
 */
export interface LabRun {
  format: 'lastseat-run/1';
  /** The name of its folder: `2026-11-28T22-40-12Z-lab`. */
  id: string;
  /** What `RUN_NAME=` said, or `lab`. */
  name: string;
  /** What repeats it, from the root of the repository: `make lab REPLICAS=1,2 STRATEGY=row-lock`. */
  command: string;
  /** When, of what and on what: start, commit, cores, memory, versions of Node and the system. */
  circumstances: Circumstances;
  endedAt: string;
  /** False if it was interrupted: then slices, or whole cells, are missing, and what is here is good. */
  isComplete: boolean;
  settings: LabSettings;
  runtime: 'docker' | 'native';
  /** Versions of the servers: `postgres`, `redis`, `nginx`. */
  servers: Record<string, string>;
  /** CPUs that each container of a part may use; empty where processes run without a limit. */
  limits: Record<string, number>;
  /** The same of memory, in megabytes. */
  memoryLimitsMb?: Record<string, number>;
  /** What is known as `booking-1` by what it calls itself in answers, where that is something else: in a container. */
  replicaNames?: Record<string, string>;
  /** How often a booking goes to Postgres and to Redis, guard by guard; missing where it was interrupted before. */
  roundTrips?: RoundTrips[];
  cells: Cell[];
}

/** What was asked for. */
export interface LabSettings {
  workload: string;
  replicas: number[];
  strategies: LabStrategy[];
  connections: number[];
  /** Null where the workload chooses: plenty for a rate, a hundred for a rush. */
  tickets: number | null;
  /** Null where a slice is as long as its window rather than as its buyers. */
  buyers: number | null;
  slices: number;
  warmUpMs: number;
  windowMs: number;
  /** What strikes once in the middle of each slice, by the names of drills, `none` among them; missing where nothing does. */
  faults?: string[];
  /** Of an open loop: requests that come in a second, by themselves; missing where clients wait for their answers. */
  arrivals?: { perS: number; pattern: 'constant' | 'poisson' };
  /** A slice is as long as its window, also of a workload that is a number of requests by itself. */
  isTimed?: boolean;
}

/** Counted in a pass of its own, with all clients on one event: nothing else of the run is measured meanwhile. */
export interface RoundTrips {
  strategy: StrategyName;
  connections: number;
  /** Those that the others are divided by. */
  bookings: number;
  /** For one booking. */
  statements: number;
  postgresRoundTrips: number;
  redisCommands: number;
  redisRoundTrips: number;
}

/** The no-op route is measured like a strategy: what nginx, a replica and the generator can do at most. */
export type LabStrategy = StrategyName | 'no-op';

export interface Cell {
  workload: string;
  strategy: LabStrategy;
  replicas: number;
  connections: number;
  /** `too many`: nothing guards the stock, and that it oversells is what the cell is to show. */
  sells: 'exactly' | 'too many';
  /** The drill that strikes once in each of its slices; missing where nothing does. */
  fault?: string;
  slices: Slice[];
}

/** What the processes that share the machine are called. */
export type Part = 'nginx' | 'replicas' | 'redis' | 'postgres' | 'harness';

/** How a request ended. Confirmed, cancelled and read are answers to requests that were not for a ticket. */
export type Outcome = 'booked' | 'held' | 'refused' | 'busy' | 'confirmed' | 'cancelled' | 'read' | 'unknown';

export interface Slice {
  /** From 1. Slices of one number stood side by side in time: their ratios are worth more than those of others. */
  slice: number;
  startedAt: string;
  eventIds: number[];
  requests: {
    started: number;
    answered: number;
    /** Started, and never told whether it was done; each was looked for in Postgres afterwards. */
    unknown: number;
  };
  /**
   * What was found of those that would have changed something, and of bookings that a fault has met; missing where all
   * were told.
   */
  settled?: SettledCounts;
  /** The part that counts: after the warm-up, until the last request was sent. */
  windowMs: number;
  /** Answers in the window by outcome; what did not occur is missing. */
  answers: Partial<Record<Outcome, number>>;
  /** The same per second. Read it only where `void` is null. */
  perSecond: Partial<Record<Outcome, number>>;
  /** Of the requests under way in the window, by outcome: from the intended start to the last byte of the answer. */
  latency: Partial<Record<Outcome, Latency>>;
  generator: Generator;
  /** CPU seconds used per second in the window (1.5 is one and a half cores); null where it cannot be read. */
  cpuCores: Record<Part, number> | null;
  checks: CheckVerdict[];
  /** Why no throughput and no latency of this slice is to be shown; null if it can be believed. */
  void: string | null;
  /** JSON Lines beside `run.json`, one operation each; null where the run kept none. */
  history: string | null;
  /** Of a cell with a fault: what it has met; missing where it did not come to strike. */
  strike?: SliceStrike;
}

export interface SliceStrike {
  /** After the window had opened, and until it was healed. */
  atMs: number;
  lastedMs: number;
  /** Bookings that it met between their read and their write, and how many of their events were oversold. */
  held: { struck: number; oversold: number };
  /** Tickets sold that there are not, of all events. */
  oversold: number;
}

export interface Generator {
  /** `closed`: each client sends its next request when it has the answer. `open`: at set times, answered or not. */
  loop: 'closed' | 'open';
  /** Of an open loop: requests that the schedule has in a second, and those that were sent. Null of a closed one. */
  offeredPerS: number | null;
  achievedPerS: number | null;
  /** How late the generator's own event loop was, in milliseconds. */
  lagMs: { p50: number; p99: number; max: number };
}

/** What one check says of one slice. */
export interface CheckVerdict {
  /** `oversold`, `counter_differs`, `linearizable`, ... */
  check: string;
  verdict: 'passed' | 'failed' | 'not shown';
  /** One sentence: what is wrong, or why it was not shown. Null where it passed. */
  detail: string | null;
  /** Set where the failure is what the cell was there to show: a race without a guard, a fault that its guard does not survive. */
  isExpected?: boolean;
}
