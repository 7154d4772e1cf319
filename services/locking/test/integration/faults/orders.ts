/** What a test orders a worker to do. `enter` and `leave`: the room, with the token of the lease that it acquired. */
export type Order = { id: number } & (
  | { do: 'acquire' | 'cancel' | 'assert' | 'enter' | 'leave' | 'release' | 'extend and release' }
  | { do: 'cycle' | 'enough' | 'close' }
  | { do: 'block'; ms: number }
);

/** What the room says to a worker that wants to enter, or to write at the end. */
export interface Answer {
  request: number;
  accepted: boolean;
}

/** What a worker says. */
export type Report =
  | { to: number; value?: unknown }
  | { to: number; error: string; why: string }
  | { aborted: string }
  | { granted: number }
  | { enters: number; request: number }
  | { leaves: number; request: number };
