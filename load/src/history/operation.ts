/**
 * One line of a history: what one client asked for, when, and what it was told. HISTORY.md tells it to those who write
 * a checker of their own. Names may join; none changes its meaning.
 */
export interface Operation {
  /**
   * `create`: the event begins, with all its tickets free. `book`, `cancel`, `read` are requests to the service.
   * `hold` and `confirm` too. `expire`: a hold that was not confirmed has ended by itself, and its tickets are free.
   * `count`: the harness reads in Postgres what was really sold, after the last answer.
   */
  operation: 'create' | 'book' | 'hold' | 'confirm' | 'expire' | 'cancel' | 'read' | 'count';
  /** Has one operation at a time. 0 is the harness itself. */
  client: number;
  event: number;
  /** The guard that was asked for; null where none is. */
  strategy: string | null;
  /** Tickets that the event has, that were asked for, or that a cancellation has given back; null of a read. */
  quantity: number | null;
  /** `create`, `read`, `count`: tickets that are free. Below 0 in a `count`: so many were sold too often. */
  free: number | null;
  outcome: 'ok' | 'rejected' | 'unknown';
  /** `booked`, `sold_out`, `busy`, ...: what the answer says; null where there was none. */
  answer: string | null;
  /** When it was to be sent: earlier than `startMs` where the generator was late. */
  intendedMs: number;
  /** On the monotonic clock of the machine (CLOCK_MONOTONIC), the same in all processes on it. */
  startMs: number;
  endMs: number | null;
  /** The same by the wall clock, in milliseconds since 1970. */
  startedAt: number;
  endedAt: number | null;
  instance: string | null;
  /** The name that it was made for: unique for each operation of a run. */
  customer: string | null;
  request: string | null;
  booking: string | null;
  token: number | null;
  /** Only of an `unknown` one: what Postgres told afterwards. */
  settled?: Settled;
  /** Only of an `unknown` one: the service, asked for the request by its id, said the same. */
  isLookedUp?: boolean;
}

/**
 * `done`: it has a row. `not done`: it has none, and the service has given it up. `open`: it has none, and nobody
 * waited until the service would have given it up.
 */
export type Settled = 'done' | 'not done' | 'open';
