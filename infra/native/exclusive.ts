import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Report } from '../servers/install.ts';
import { findProcess, isRunning } from '../servers/processes.ts';
import { UserError } from '../stack/user-error.ts';

// A first `make up` that installs everything takes some minutes; who waits longer than this waits for a hung one.
const maxWaitMs = 600_000;

/** Runs one change of the stack at a time: two that start the same processes would lose track of half of them. */
export async function exclusively<T>(dir: string, report: Report, change: () => Promise<T>): Promise<T> {
  const path = join(dir, 'lock');
  const self = findProcess(process.pid);
  const deadline = performance.now() + maxWaitMs;
  for (let told = false; !tryCreate(path, `${self?.pid} ${self?.startedAt}`);) {
    const owner = readOwner(path);
    if (owner !== null && !isRunning(owner)) {
      rmSync(path, { force: true }); // its owner died with it
      continue;
    }
    if (performance.now() > deadline)
      throw new UserError(`process ${owner?.pid} is still changing the stack`);
    if (!told && owner) report(`waiting for process ${owner.pid}, which is changing the stack ...`);
    told = true;
    await sleep(100);
  }
  try {
    return await change();
  } finally {
    rmSync(path, { force: true });
  }
}

function tryCreate(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Null while it is between created and written, or already gone. */
function readOwner(path: string): { pid: number; startedAt: string } | null {
  try {
    const [pid, startedAt] = readFileSync(path, 'utf8').split(/ (.*)/);
    return pid && startedAt ? { pid: Number(pid), startedAt } : null;
  } catch {
    return null;
  }
}
