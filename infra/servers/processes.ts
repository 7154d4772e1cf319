import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessEntry {
  pid: number;
  parentPid: number;
  /** Opaque; together with the pid it names one process for ever, also after the pid was given to another. */
  startedAt: string;
}

/** Every running process. One that is dead but not yet reaped (a zombie) is not running. */
export function listProcesses(): Map<number, ProcessEntry> {
  return new Map(
    (process.platform === 'linux' ? fromProc() : fromPs()).map((entry) => [entry.pid, entry] as const),
  );
}

export function findProcess(pid: number): ProcessEntry | null {
  if (process.platform === 'linux') return readProc(String(pid));
  return listProcesses().get(pid) ?? null;
}

/** The process's children, their children and so on; not the process itself. */
export function descendantsOf(pid: number): number[] {
  const all = [...listProcesses().values()];
  const found = [pid];
  for (const parent of found) {
    for (const entry of all) if (entry.parentPid === parent) found.push(entry.pid);
  }
  return found.slice(1);
}

/** Signals the process; false when it is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Resolves to whether all of the processes were gone before the time was up. */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (pids.every((pid) => findProcess(pid) === null)) return true;
    if (performance.now() >= deadline) return false;
    await sleep(10); // there is no event for the end of a process that is not our child
  }
}

// Read directly: a slim container has no ps.
function fromProc(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(readProc)
    .filter((entry) => entry !== null);
}

function readProc(pid: string): ProcessEntry | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // it ended between the listing and the reading
  }
  // The second field is the command in parentheses and may itself contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parentPid] = fields;
  const startedAt = fields[19];
  if (state === 'Z' || state === 'X' || startedAt === undefined) return null;
  return { pid: Number(pid), parentPid: Number(parentPid), startedAt };
}

function fromPs(): ProcessEntry[] {
  const listing = execFileSync('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], { encoding: 'utf8' });
  return listing
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([pid, , state]) => pid && !state?.startsWith('Z'))
    .map(([pid, parentPid, , ...started]) => ({
      pid: Number(pid),
      parentPid: Number(parentPid),
      startedAt: started.join(' '),
    }));
}
