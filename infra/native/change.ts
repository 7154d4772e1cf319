import { join } from 'node:path';

import type { Report } from '../servers/install.ts';
import { UserError } from '../stack/user-error.ts';
import { exclusively } from './exclusive.ts';
import { createParts } from './parts.ts';
import type { Parts } from './parts.ts';
import { makeStackDir } from './places.ts';
import { loadState, saveState } from './state.ts';
import type { State } from './state.ts';

/** One change of a stack, while it is under way. */
export interface Change {
  dir: string;
  state: State;
  save(): void;
  parts: Parts;
  /** Aborted when the user loses patience; what waits must give up. */
  signal: AbortSignal;
  report: Report;
  /** Runs a step of the change and names it, should it take long enough to make one wonder. */
  step<T>(name: string, run: () => Promise<T>): Promise<T>;
}

/**
 * Runs a change with nobody else changing the same stack. When it fails, or Ctrl-C ends it, whatever it started is
 * stopped again: a stack is up or it is not.
 */
export async function changeStack<T>(
  dir: string,
  report: Report,
  run: (change: Change) => Promise<T>,
): Promise<T> {
  makeStackDir(dir);
  return exclusively(dir, report, async () => {
    using interruption = listenForInterruption();
    const state = loadState(dir) ?? { wanted: null, dataDir: null, ports: {}, parts: {} };
    const save = () => saveState(dir, state);
    const { signal } = interruption;
    const parts = createParts({ state, save, logsDir: join(dir, 'logs'), signal });
    const step = namedSteps(report);
    try {
      return await run({ dir, state, save, parts, signal, report, step });
    } catch (error) {
      for (const name of parts.started) await parts.stop(name);
      throw asUserError(error, signal);
    }
  });
}

function asUserError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return new UserError('interrupted', { cause: error });
  if (
    (error as NodeJS.ErrnoException).code === 'EPERM' ||
    (error as NodeJS.ErrnoException).code === 'EACCES'
  ) {
    return new UserError('what runs was started by another user (by root?)', { cause: error });
  }
  return error;
}

function listenForInterruption(): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error('interrupted'));
  process.on('SIGINT', abort).on('SIGTERM', abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', abort).off('SIGTERM', abort);
    },
  };
}

// Shorter than a person's doubt whether anything is happening at all.
const quietMs = 1_000;

function namedSteps(report: Report): Change['step'] {
  return async (name, run) => {
    const timer = setTimeout(() => report(`${name} ...`), quietMs);
    try {
      return await run();
    } finally {
      clearTimeout(timer);
    }
  };
}
