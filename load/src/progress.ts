import { thousands } from '@lastseat/lab-frame/words.ts';

export interface Progress extends Disposable {
  /** So many requests of the present run are answered. */
  update: (answered: number) => void;
}

// Whatever takes no longer than this needs no company.
const QUIET_MS = 2_000;
const ON_TERMINAL_MS = 200;
// In a log each sign of life is a line.
const IN_LOG_MS = 5_000;

/** Signs of life on a run that takes long: a line that rewrites itself on a terminal, a few lines in a log. */
export function showProgress(what: string, expected: number, stream: NodeJS.WriteStream): Progress {
  const startedAtMs = performance.now();
  let answered = 0;
  let shown = false;
  const show = (): void => {
    const elapsedMs = performance.now() - startedAtMs;
    if (elapsedMs < QUIET_MS) return;
    const text = `${what}: ${thousands(answered)} of ${thousands(expected)} answered, ${Math.round(elapsedMs / 1_000)} s`;
    stream.write(stream.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    shown = true;
  };
  const timer = setInterval(show, stream.isTTY ? ON_TERMINAL_MS : IN_LOG_MS);
  timer.unref();
  return {
    update: (count) => {
      answered = count;
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (shown && stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}
