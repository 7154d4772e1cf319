import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { UsageError } from '@lastseat/infra/command-line';

import { runsFolder } from '../runs/store.ts';
import type { Operation } from './operation.ts';

export interface HistoryWriter extends Disposable {
  append(operation: Operation): void;
}

// What is kept in memory; writing it takes some 50 microseconds, which no request notices.
const CHUNK_CHARACTERS = 64 * 1_024;

/** Appends operations to a file of JSON Lines, whatever their number, and keeps none of them. */
export function writeHistory(path: string): HistoryWriter {
  const file = openNew(path);
  let waiting = '';
  const flush = (): void => {
    writeSync(file, waiting);
    waiting = '';
  };
  return {
    append(operation) {
      waiting += `${JSON.stringify(operation)}\n`;
      if (waiting.length >= CHUNK_CHARACTERS) flush();
    },
    [Symbol.dispose]() {
      flush();
      closeSync(file);
    },
  };
}

/** A file of its own, should another program still write into the one of this name. */
function openNew(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    return openSync(path, 'w');
  } catch (error) {
    const { code = 'no reason given' } = error as NodeJS.ErrnoException;
    throw new UsageError(`HISTORY=${path} cannot be written (${code})`, { cause: error });
  }
}

/** Of `make load`: the next one replaces it. Runs that are to be kept are those of the lab. */
export function historyOfLastLoad(env: NodeJS.ProcessEnv): string {
  return join(runsFolder(env), '..', 'load', 'history.jsonl');
}
