/** What a test orders a worker to do. */
export type Order = { id: number } & (
  | { do: 'acquire' | 'cancel' | 'assert' | 'release' | 'extend and release' | 'cycle' | 'enough' | 'close' }
  | { do: 'block'; ms: number }
);

/** What the room says to a worker that wants to enter. */
export interface Answer {
  entry: number;
  admitted: boolean;
}

/** What a worker says. */
export type Report =
  | { to: number; value?: unknown }
  | { to: number; error: string; why: string }
  | { aborted: string }
  | { enters: number; entry: number }
  | { left: number };
