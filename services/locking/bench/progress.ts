/** Where the bench is and how long it will take, for whoever waits: on stderr, so that it never gets into a report. */
export interface Progress extends Disposable {
  next(what: string, plannedMs: number): void;
}

// In a log, each sign of life is a line of its own.
const inLogMs = 10_000;

export function showProgress(steps: readonly { plannedMs: number }[], stream: NodeJS.WriteStream): Progress {
  const totalMs = steps.reduce((sum, { plannedMs }) => sum + plannedMs, 0);
  const startedMs = performance.now();
  let behindMs = 0;
  let started = 0;
  let shownMs = -Infinity;

  return {
    next(what, plannedMs) {
      const elapsedMs = performance.now() - startedMs;
      // A busy machine takes longer than planned, and will go on to.
      const pace = behindMs > 0 ? elapsedMs / behindMs : 1;
      const left = duration((totalMs - behindMs) * pace);
      behindMs += plannedMs;
      started += 1;
      const line = `${String(started).padStart(String(steps.length).length)}/${steps.length}  ${left} left  ${what}`;
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${line.slice(0, Math.max(20, stream.columns - 1))}`);
      } else if (elapsedMs - shownMs >= inLogMs) {
        stream.write(`${line}\n`);
        shownMs = elapsedMs;
      }
    },
    [Symbol.dispose]() {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
