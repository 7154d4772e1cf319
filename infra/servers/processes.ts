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

export function isRunning({ pid, startedAt }: Pick<ProcessEntry, 'pid' | 'startedAt'>): boolean {
  return findProcess(pid)?.startedAt === startedAt;
}

/** The process, its children, their children and so on. Empty when it is gone. */
export function treeOf(pid: number): ProcessEntry[] {
  const all = listProcesses();
  const root = all.get(pid);
  const tree = root ? [root] : [];
  for (const parent of tree) {
    for (const entry of all.values()) if (entry.parentPid === parent.pid) tree.push(entry);
  }
  return tree;
}

/** Signals those that still run, and nobody who got one of their pids since. */
export function signalAll(processes: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  for (const entry of processes) {
    try {
      if (isRunning(entry)) process.kill(entry.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended in between
    }
  }
}

/** Resolves to whether all of them were gone before the time was up. */
export async function waitUntilGone(processes: readonly ProcessEntry[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (!processes.some(isRunning)) return true;
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
  return { pid: Number(pid), parentPid: Number(parentPid), startedAt: `${bootId()}/${startedAt}` };
}

// The start time counts from the boot, so it names a process for ever only together with the boot.
let knownBootId: string | undefined;
function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
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
