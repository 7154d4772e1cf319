import type { Step } from './step.ts';

export interface Progress extends Disposable {
  /** The step is about to be taken. */
  begin(step: Step): void;
}

const ON_TERMINAL_MS = 500;
// In a log each sign of life is a line.
const IN_LOG_MS = 10_000;

/** Where a long bench is and how long it will still take: a line that rewrites itself, or a few lines in a log. */
export function showProgress(steps: readonly Step[], stream: NodeJS.WriteStream): Progress {
  const startedAtMs = performance.now();
  let begun = 0;
  let what = '';
  let shownAtMs = Number.NEGATIVE_INFINITY;
  const show = () => {
    const now = performance.now();
    if (now - shownAtMs < (stream.isTTY ? ON_TERMINAL_MS : IN_LOG_MS)) return;
    shownAtMs = now;
    const left = inWords(timeLeftMs(steps, begun - 1, now - startedAtMs));
    const text = `${begun} of ${steps.length} · ${what} · ${left} left`;
    stream.write(stream.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  };
  const timer = setInterval(show, ON_TERMINAL_MS);
  timer.unref();
  return {
    begin(step) {
      begun += 1;
      ({ what } = step);
      show();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

/**
 * What the steps that are left are expected to take, stretched as much as those that are done have been. A first step
 * or two say little about the others.
 */
export function timeLeftMs(steps: readonly Step[], done: number, elapsedMs: number): number {
  const stretch = done < ENOUGH_STEPS ? 1 : elapsedMs / expectedMs(steps.slice(0, done));
  return expectedMs(steps.slice(done)) * stretch;
}

const ENOUGH_STEPS = 3;

function expectedMs(steps: readonly Step[]): number {
  return steps.reduce((sum, { expectedMs }) => sum + expectedMs, 0);
}

export function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
