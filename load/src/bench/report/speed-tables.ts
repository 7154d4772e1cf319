import { wrap } from '@lastseat/infra/command-line';
import { median } from '@lastseat/lab-frame/statistics.ts';
import { table } from '@lastseat/lab-frame/table.ts';
import { thousands } from '@lastseat/lab-frame/words.ts';

import { PARTS, type Cell, type GuardName } from '../measurements.ts';
import { bar } from './bar.ts';
import type { Section } from './section.ts';

/** How fast, how long, and at whose expense: every guard under every load. Medians of the repeats. */
export function speedTables(cells: readonly Cell[]): Section[] {
  if (cells.length === 0) return [];
  const loads = loadsOf(cells);
  const guards = rankedGuards(cells, loads);
  return [
    {
      title: 'Bookings per second on one hot event, and spread over many',
      lines: speedLines(cells, guards, loads),
    },
    { title: 'Until a booking is answered: p50 / p99 in ms', lines: latencyLines(cells, guards, loads) },
    ...cpuTable(cells, guards),
  ];
}

interface Load {
  connections: number;
  events: number;
}

const BAR_WIDTH = 14;
// A frame grows with its lines, and notes should not make it.
const NOTE_WIDTH = 76;

function speedLines(cells: readonly Cell[], guards: readonly GuardName[], loads: readonly Load[]): string[] {
  const main = mainLoad(loads);
  const rateOf = (guard: GuardName, load: Load) =>
    medianOf(cells, guard, load, ({ bookingsPerS }) => bookingsPerS);
  const fastest = Math.max(...guards.map((guard) => rateOf(guard, main) ?? 0));
  const rates = table(
    heading(loads),
    guards.map((guard) => [titleOf(guard), ...loads.map((load) => rate(rateOf(guard, load)))]),
  );
  const bars = ['', ...guards.map((guard) => bar((rateOf(guard, main) ?? 0) / fastest, BAR_WIDTH))];
  const width = Math.max(...rates.map((line) => line.length));
  const lines = rates.map((line, index) => `${line.padEnd(width)}  ${bars[index]}`.trimEnd());
  const notes = [...refusalNotes(cells, guards, loads), ...oversellNotes(cells)];
  return [...lines, ...notes.flatMap((note) => wrap(note, NOTE_WIDTH))];
}

function latencyLines(
  cells: readonly Cell[],
  guards: readonly GuardName[],
  loads: readonly Load[],
): string[] {
  const latency = (guard: GuardName, load: Load) => {
    const p50 = medianOf(cells, guard, load, ({ latencyMs }) => latencyMs?.p50);
    const p99 = medianOf(cells, guard, load, ({ latencyMs }) => latencyMs?.p99);
    return p50 === null || p99 === null ? '-' : `${milliseconds(p50)} / ${milliseconds(p99)}`;
  };
  return table(
    heading(loads),
    guards.map((guard) => [titleOf(guard), ...loads.map((load) => latency(guard, load))]),
  );
}

function cpuTable(cells: readonly Cell[], guards: readonly GuardName[]): Section[] {
  const load = mainLoad(loadsOf(cells));
  if (!cells.some(({ cpuCores }) => cpuCores)) return [];
  const coresOf = (guard: GuardName) =>
    PARTS.map((part) => medianOf(cells, guard, load, ({ cpuCores }) => cpuCores?.[part]));
  const rows = guards.map((guard) => {
    const cores = coresOf(guard);
    const total = cores.reduce<number>((sum, used) => sum + (used ?? 0), 0);
    return [titleOf(guard), ...cores.map((used) => used?.toFixed(2) ?? '-'), total.toFixed(2)];
  });
  return [
    {
      title: `Cores used by each part, ${load.connections} connections`,
      lines: table(['', ...PARTS, 'all'], rows),
    },
  ];
}

/** Whoever was sent away is no booking, and worth a word: a guard can be fast for the few that it serves. */
function refusalNotes(
  cells: readonly Cell[],
  guards: readonly GuardName[],
  loads: readonly Load[],
): string[] {
  return loads.flatMap((load) => {
    const told = guards.flatMap((guard) => {
      const share = medianOf(cells, guard, load, shareSentAway) ?? 0;
      return share < WORTH_A_WORD ? [] : [`${guard} ${Math.round(share * 100)} %`];
    });
    return told.length === 0 ? [] : [`sent away as busy at ${loadInWords(load)}: ${told.join(', ')}`];
  });
}

/** With plenty of stock nothing runs out; but a sale that the counter has not seen is one that will be sold again. */
function oversellNotes(cells: readonly Cell[]): string[] {
  const unguarded = cells.filter(({ guard, rows }) => guard === 'no-lock' && rows !== null);
  if (unguarded.length === 0) return [];
  const sum = (measure: (cell: Cell) => number) =>
    unguarded.reduce((total, cell) => total + measure(cell), 0);
  const share =
    sum(({ uncounted }) => uncounted) /
    Math.max(
      1,
      sum(({ rows }) => rows ?? 0),
    );
  return [`* OVERSELLS: ${Math.round(share * 100)} % of its sales are missing from the counter`];
}

// Half a percent reads as one.
const WORTH_A_WORD = 0.005;

function shareSentAway({ statuses, answered }: Cell): number {
  return (statuses['503'] ?? 0) / answered;
}

function heading(loads: readonly Load[]): string[] {
  return ['connections', ...loads.map(loadInWords)];
}

function loadInWords({ connections, events }: Load): string {
  return events === 1 ? thousands(connections) : `${thousands(events)} events`;
}

function titleOf(guard: GuardName): string {
  if (guard === 'no-op') return '(no-op route)';
  return guard === 'no-lock' ? 'no-lock *' : guard;
}

/** The one whose bars and CPU are shown: what most of the figures are about, if it was measured. */
function mainLoad(loads: readonly Load[]): Load {
  const hot = loads.filter(({ events }) => events === 1);
  return hot.find(({ connections }) => connections === 64) ?? hot[0] ?? { connections: 0, events: 1 };
}

function loadsOf(cells: readonly Cell[]): Load[] {
  const loads = new Map(
    cells.map(({ connections, events }) => [`${events} ${connections}`, { connections, events }]),
  );
  return [...loads.values()].sort((a, b) => a.events - b.events || a.connections - b.connections);
}

/** The fastest first, and the two that are there for comparison at the top and at the bottom. */
function rankedGuards(cells: readonly Cell[], loads: readonly Load[]): GuardName[] {
  const main = mainLoad(loads);
  const speed = (guard: GuardName) => medianOf(cells, guard, main, ({ bookingsPerS }) => bookingsPerS) ?? 0;
  return [...new Set(cells.map(({ guard }) => guard))].sort(
    (a, b) => rank(a) - rank(b) || speed(b) - speed(a),
  );
}

function rank(guard: GuardName): number {
  if (guard === 'no-op') return -1;
  return guard === 'no-lock' ? 1 : 0;
}

function medianOf(
  cells: readonly Cell[],
  guard: GuardName,
  load: Load,
  measure: (cell: Cell) => number | undefined,
): number | null {
  return median(
    cells.flatMap((cell) => {
      const isIt =
        cell.guard === guard && cell.connections === load.connections && cell.events === load.events;
      const value = isIt && cell.void === null ? measure(cell) : undefined;
      return value === undefined ? [] : [value];
    }),
  );
}

function rate(perS: number | null): string {
  return perS === null ? '-' : thousands(Math.round(perS));
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : thousands(Math.round(ms));
}
