import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { StackOptions } from '../stack/runtime.ts';

/** What outlives the command that started the processes: enough to find, verify and stop every one of them. */
export interface State {
  /** What `up` and `scale` were last asked for; null after `down`. */
  wanted: StackOptions | null;
  /** Where the servers keep their data; null until the first of them starts. */
  dataDir: string | null;
  /** Ports once chosen stay, so that an address written down yesterday works today. */
  ports: Record<string, number>;
  /** That nginx knew of at its start. */
  replicasAtStart?: number;
  parts: Record<string, PartRecord>;
}

/** A process that was started and not yet seen to end. */
export interface PartRecord {
  pid: number;
  /** With the pid it names one process: a pid alone may by now belong to somebody else's. */
  startedAt: string;
  stopSignal: NodeJS.Signals;
  /** Of everything it was started with; another one means that it must be started anew. */
  fingerprint: string;
}

export function loadState(dir: string): State | null {
  try {
    return JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8')) as State;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** All or nothing, and at once: a process that is not in the file is a process that nobody will ever stop. */
export function saveState(dir: string, state: State): void {
  const path = join(dir, 'state.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
