import type { Answer } from './answer.ts';

/** One request of one buyer. A buyer who is told to try again makes another attempt. */
export interface Attempt {
  buyer: number;
  /** 1 for the first. */
  number: number;
  /** Unique per attempt, so that a row in the database names its request even if the answer was lost. */
  customer: string;
  /** On the clock of `performance.now()`. */
  startedAtMs: number;
  /** Null: asked, never answered. It may have been booked. */
  answer: Answer | null;
  /** It stands for several requests with one key, all of unknown end: the id of none of them stands for all. */
  hasManyIds?: boolean;
}
