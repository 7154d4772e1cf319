import { isRunning } from '../servers/processes.ts';
import { printTable } from '../stack/table.ts';
import { replicaNumber } from './replicas.ts';
import type { State } from './state.ts';

/** A table of what was started, in the order in which a request meets it. */
export function printParts(state: State | null): void {
  const names = Object.keys(state?.parts ?? {}).sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  if (state === null || names.length === 0) {
    process.stdout.write('nothing is running: make up\n');
    return;
  }
  const rows = names.map((name) => {
    const part = state.parts[name];
    const number = replicaNumber(name);
    const port = number === null ? state.ports[name] : (state.ports['first-replica'] ?? 0) + number - 1;
    const status = part && isRunning(part) ? 'running' : 'ended';
    return [name, status, String(part?.pid), port === undefined ? '-' : `127.0.0.1:${port}`];
  });
  printTable([['NAME', 'STATE', 'PID', 'ADDRESS'], ...rows]);
}

function rank(name: string): number {
  return name === 'nginx' ? 0 : (replicaNumber(name) ?? 100);
}
