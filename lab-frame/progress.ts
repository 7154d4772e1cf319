/**
 * Where a program is, for whoever waits: a line that rewrites itself on a terminal, a line now and then in a log. It
 * belongs on stderr, where it never gets into a report.
 */
export interface Progress extends Disposable {
  /** Now, rather than at the next turn. */
  show(): void;
}

export interface ProgressOptions {
  /** Whatever takes no longer than this needs no word. */
  quietMs?: number;
}

const ON_TERMINAL_MS = 250;
// In a log each of them is a line.
const IN_LOG_MS = 10_000;

export function showProgress(
  line: () => string,
  stream: NodeJS.WriteStream,
  { quietMs = 0 }: ProgressOptions = {},
): Progress {
  const startedAtMs = performance.now();
  let shownAtMs = Number.NEGATIVE_INFINITY;
  const show = (): void => {
    const now = performance.now();
    if (now - startedAtMs < quietMs || now - shownAtMs < (stream.isTTY ? ON_TERMINAL_MS : IN_LOG_MS)) return;
    shownAtMs = now;
    const text = line();
    stream.write(stream.isTTY ? `\r\x1b[K${text.slice(0, Math.max(20, stream.columns - 1))}` : `${text}\n`);
  };
  const timer = setInterval(show, ON_TERMINAL_MS);
  timer.unref();
  return {
    show,
    [Symbol.dispose]() {
      clearInterval(timer);
      if (stream.isTTY && Number.isFinite(shownAtMs)) stream.write('\r\x1b[K');
    },
  };
}

/** The smallest piece of a measurement that is worth a word on the screen. */
export interface PlannedStep {
  what: string;
  /** A guess, for the time that is left. */
  expectedMs: number;
}

export interface StepProgress extends Disposable {
  /** The step is about to be taken. */
  begin(step: PlannedStep): void;
}

export function showSteps(steps: readonly PlannedStep[], stream: NodeJS.WriteStream): StepProgress {
  const startedAtMs = performance.now();
  let begun = 0;
  let what = '';
  const progress = showProgress(() => {
    const left = inWords(timeLeftMs(steps, begun - 1, performance.now() - startedAtMs));
    return `${begun} of ${steps.length} · ${what} · ${left} left`;
  }, stream);
  return {
    begin(step) {
      begun += 1;
      ({ what } = step);
      progress.show();
    },
    [Symbol.dispose]: () => progress[Symbol.dispose](),
  };
}

/**
 * What the steps that are left are expected to take, stretched as much as those that are done have been. A first step
 * or two say little about the others.
 */
export function timeLeftMs(steps: readonly PlannedStep[], done: number, elapsedMs: number): number {
  const stretch = done < ENOUGH_STEPS ? 1 : elapsedMs / expectedMs(steps.slice(0, done));
  return expectedMs(steps.slice(done)) * stretch;
}

const ENOUGH_STEPS = 3;

function expectedMs(steps: readonly PlannedStep[]): number {
  return steps.reduce((sum, { expectedMs }) => sum + expectedMs, 0);
}

export function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
