import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessEntry {
  pid: number;
  parentPid: number;
  /** Opaque; together with the pid it names one process for ever, also after the pid was given to another. */
  startedAt: string;
  /** By a signal: it runs no further until it is told to continue. */
  isStopped: boolean;
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

/**
 * Stops a process and all below it, and resolves to those that it has stopped; to none if the process is gone. The process
 * itself is first, so that it starts no further one between the listing and the signal.
 */
export async function freezeTree(pid: number, timeoutMs: number): Promise<ProcessEntry[]> {
  signalAll(treeOf(pid).slice(0, 1), 'SIGSTOP');
  const tree = treeOf(pid);
  signalAll(tree, 'SIGSTOP');
  const isFrozen = () => tree.every(({ pid }) => findProcess(pid)?.isStopped !== false);
  if (!(await until(isFrozen, timeoutMs))) throw new Error(`pid ${pid} cannot be stopped`);
  return tree;
}

/** The other way round: what is below it runs before it may look at it. */
export async function continueTree(pid: number, timeoutMs: number): Promise<void> {
  const tree = treeOf(pid);
  signalAll(tree.toReversed(), 'SIGCONT');
  const goesOn = () => tree.every(({ pid }) => findProcess(pid)?.isStopped !== true);
  if (!(await until(goesOn, timeoutMs))) throw new Error(`pid ${pid} does not go on`);
}

/**
 * Kills a process and all below it. Without its children a Postgres could not start again on the same data: they still
 * hold its shared memory.
 * @returns those that were there, on their way out
 */
export function killTree(pid: number): ProcessEntry[] {
  signalAll(treeOf(pid).slice(0, 1), 'SIGSTOP'); // so that it starts no further one meanwhile
  const tree = treeOf(pid);
  signalAll(tree, 'SIGKILL');
  return tree;
}

/** Resolves to whether all of them were gone before the time was up. */
export function waitUntilGone(processes: readonly ProcessEntry[], timeoutMs: number): Promise<boolean> {
  return until(() => !processes.some(isRunning), timeoutMs);
}

async function until(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (isSo()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(10); // there is no event for what becomes of a process that is not our child
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
  return {
    pid: Number(pid),
    parentPid: Number(parentPid),
    startedAt: `${bootId()}/${startedAt}`,
    isStopped: state === 'T',
  };
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
    .map(([pid, parentPid, state, ...started]) => ({
      pid: Number(pid),
      parentPid: Number(parentPid),
      startedAt: started.join(' '),
      isStopped: state?.startsWith('T') === true,
    }));
}
