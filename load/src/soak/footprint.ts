import { readFileSync } from 'node:fs';

import { readInfo } from '@lastseat/lab-frame/redis-info.ts';
import { sum } from '@lastseat/lab-frame/statistics.ts';

import { treesOf } from '../bench/cpu.ts';
import type { Arena } from '../faults/arena.ts';

/** What the parts use at a moment when nobody asks for anything: a quantity by its name. */
export interface Footprint {
  /** Minutes since the first one. */
  atMin: number;
  values: Record<string, number>;
  /** The first process of each part. */
  pids: Record<string, number>;
}

export const MEMORY = 'MB of ';

const KB = 1_024;

export async function footprintOf({ stack, cluster }: Arena, atMin: number): Promise<Footprint> {
  const pids = stack.pids();
  const parts = Map.groupBy(Object.keys(pids), partOf);
  const memory = [...parts].flatMap(([part, names]) => {
    const kb = memoryKb(names.map((name) => pids[name] ?? 0));
    return kb === null ? [] : [[`${MEMORY}${part}`, Math.round(kb / 102.4) / 10] as const];
  });
  const [found] = await cluster.statement<{ connections: number }>(
    `select count(*)::int as connections from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  );
  const info = await cluster.redis('redis', 'INFO clients');
  const keys = await cluster.redis('redis', 'DBSIZE');
  return {
    atMin,
    pids,
    values: {
      ...Object.fromEntries(memory),
      [`${MEMORY}this program`]: Math.round(process.memoryUsage.rss() / KB / 102.4) / 10,
      'connections to Postgres': found?.connections ?? Number.NaN,
      'connections to Redis': readInfo(info, 'connected_clients'),
      'keys in Redis': Number(/^:(\d+)/.exec(keys)?.[1] ?? Number.NaN),
    },
  };
}

function partOf(name: string): string {
  return name.startsWith('booking') ? 'the replicas' : name.startsWith('quorum') ? 'the quorum' : name;
}

/**
 * Of these processes and all that descend from them, what is theirs alone: memory that Postgres shares among its
 * processes is filled by design, and pages of files can be had again. Null where there is no /proc.
 */
function memoryKb(pids: readonly number[]): number | null {
  const all = treesOf(pids)?.map(anonymousKb);
  return all === undefined || all.length === 0 ? null : sum(all);
}

function anonymousKb(pid: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it ended between the listing and the reading
  }
}
