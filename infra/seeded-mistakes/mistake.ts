/** One change of one place. */
export interface Mistake<Noticer extends string = string> {
  readonly name: string;
  /** In `src`. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly right: string;
  readonly wrong: string;
  /** Which of the test files must fail. */
  readonly noticedBy: Noticer;
}
