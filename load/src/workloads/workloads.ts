import { holds } from './holds.ts';
import { lastTicket } from './last-ticket.ts';
import { repeat } from './repeat.ts';
import { rush } from './rush.ts';
import { soldOut } from './sold-out.ts';
import { spread } from './spread.ts';
import { storm } from './storm.ts';
import type { Workload } from './workload.ts';

/** Everything that can be done to a service, a file each. */
export const WORKLOADS: readonly Workload[] = [rush, lastTicket, soldOut, spread, storm, holds, repeat];

export const WORKLOAD_NAMES = WORKLOADS.map(({ name }) => name);

export function workloadOf(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (!found) throw new Error(`no workload is called ${name}`);
  return found;
}
