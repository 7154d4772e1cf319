import { readdirSync, readFileSync } from 'node:fs';

// What the kernel counts in, on every Linux that Node runs on.
const TICKS_PER_S = 100;

interface Usage {
  parentPid: number;
  /** Its own, and that of its children that have ended. */
  ticks: number;
}

/**
 * CPU seconds used so far by each process with all that descends from it, ended children included. Null where there
 * is no /proc to read them from.
 */
export function cpuSecondsOfTrees(pids: readonly number[]): number | null {
  if (process.platform !== 'linux') return null;
  const all = readAll();
  return treesIn(all, pids).reduce((sum, pid) => sum + (all.get(pid)?.ticks ?? 0), 0) / TICKS_PER_S;
}

/** These processes and all that descend from them; null where there is no /proc to read them from. */
export function treesOf(pids: readonly number[]): number[] | null {
  return process.platform === 'linux' ? treesIn(readAll(), pids) : null;
}

function treesIn(all: ReadonlyMap<number, Usage>, pids: readonly number[]): number[] {
  const tree = [...pids];
  for (const parent of tree) {
    for (const [pid, { parentPid }] of all) if (parentPid === parent) tree.push(pid);
  }
  return tree;
}

function readAll(): Map<number, Usage> {
  const all = new Map<number, Usage>();
  for (const name of readdirSync('/proc')) {
    const usage = /^\d+$/.test(name) ? read(name) : null;
    if (usage) all.set(Number(name), usage);
  }
  return all;
}

function read(pid: string): Usage | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // it ended between the listing and the reading
  }
  // The second field is the command in parentheses and may itself contain spaces and parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parentPid = 0] = fields;
  // utime, stime and, of children that were waited for, cutime and cstime: the 14th to the 17th field.
  const ticks = fields.slice(11, 15).reduce((sum, value) => sum + value, 0);
  return { parentPid, ticks };
}
