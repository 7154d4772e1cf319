import type { Change } from './change.ts';

/** A change of a file in `src`. */
export interface Mistake<Noticer extends string = string> extends Change {
  readonly name: string;
  /** Which of the test files must fail. */
  readonly noticedBy: Noticer;
}
