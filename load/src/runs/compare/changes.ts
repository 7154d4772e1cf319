import type { Interval } from '@lastseat/lab-frame/figures/interval.ts';
import { ratioInterval } from '@lastseat/lab-frame/figures/ratio-interval.ts';

import { arrivalsInWords } from '../arrivals.ts';
import { latenciesOf, ratesOf, verdictOfCell, voidOf } from '../rate.ts';
import type { Cell, LabRun } from '../run.ts';

/** What one cell of a run has become in another one. */
export interface Change {
  cell: Pick<Cell, 'workload' | 'strategy' | 'replicas' | 'connections' | 'fault'>;
  throughput: Ratio | null;
  p99: Ratio | null;
  /** In words, where there are no numbers to compare: it failed, or is in one run only. */
  note: string | null;
  isRegression: boolean;
}

/** The second run over the first one. */
export interface Ratio {
  ratio: number | null;
  interval: Interval | null;
  verdict: 'better' | 'worse' | 'no difference' | 'undecided';
}

/**
 * More than the usual 95 %, because many cells are compared at once: of twenty that have not changed, one would be said
 * to have. It takes five slices of each.
 */
const CONFIDENCE = 0.99;

/** Every cell that either run has, in the order of the first. */
export function compareRuns(a: LabRun, b: LabRun): Change[] {
  const others = b.cells.filter((cell) => !a.cells.some((other) => isSame(cell, other)));
  return [...a.cells, ...others].map((cell) =>
    compareCells(
      a.cells.find((other) => isSame(cell, other)),
      b.cells.find((other) => isSame(cell, other)),
    ),
  );
}

function isSame(one: Cell, other: Cell): boolean {
  return (
    one.workload === other.workload &&
    one.strategy === other.strategy &&
    one.replicas === other.replicas &&
    one.connections === other.connections &&
    one.fault === other.fault
  );
}

function compareCells(a: Cell | undefined, b: Cell | undefined): Change {
  const { workload = '', strategy = 'no-op', replicas = 0, connections = 0, fault } = a ?? b ?? {};
  const cell = { workload, strategy, replicas, connections, ...(fault !== undefined && { fault }) };
  const nothing = { cell, throughput: null, p99: null };
  if (!a || !b) return { ...nothing, note: `only in ${a ? 'A' : 'B'}`, isRegression: false };
  const [before, after] = [verdictOfCell(a), verdictOfCell(b)];
  if (after === 'failed') {
    return { ...nothing, note: `failed in B: ${voidOf(b)}`, isRegression: before !== 'failed' };
  }
  if (before !== 'exact' || after !== 'exact') {
    const note = before === after ? `${before} in both` : `${before} in A, ${after} in B`;
    return { ...nothing, note, isRegression: false };
  }
  const throughput = ratioOf(ratesOf(a), ratesOf(b), 'more');
  const p99 = ratioOf(latenciesOf(a, 'p99'), latenciesOf(b, 'p99'), 'less');
  // The no-op route is no work of ours: where it has changed, the machine has.
  const isOurs = strategy !== 'no-op';
  const isWorse = throughput.verdict === 'worse' || p99.verdict === 'worse';
  return { cell, throughput, p99, note: null, isRegression: isOurs && isWorse };
}

function ratioOf(a: readonly number[], b: readonly number[], better: 'more' | 'less'): Ratio {
  const found = ratioInterval(a, b, CONFIDENCE);
  if (!found) return { ratio: null, interval: null, verdict: 'undecided' };
  const [low, high] = found.interval;
  if (low <= 1 && high >= 1) return { ...found, verdict: 'no difference' };
  return { ...found, verdict: low > 1 === (better === 'more') ? 'better' : 'worse' };
}

/** What differs between two runs besides their code, and makes every ratio doubtful. */
export function differencesOf(a: LabRun, b: LabRun): string[] {
  const [before, after] = [factsOf(a), factsOf(b)];
  return Object.keys({ ...before, ...after }).flatMap((name) =>
    before[name] === after[name] ? [] : [`${name}: ${before[name]} in A, ${after[name]} in B`],
  );
}

function factsOf({ circumstances, runtime, servers, settings, limits }: LabRun): Record<string, string> {
  const { machine } = circumstances;
  return {
    cores: String(machine.cores),
    processor: machine.cpu,
    'version of Node': machine.node,
    runtime,
    'CPUs of each container': listOf(limits),
    ...servers,
    load: arrivalsInWords(settings),
    window: settings.isTimed === false ? 'as long as its requests take' : `${settings.windowMs} ms`,
    tickets: String(settings.tickets),
    buyers: String(settings.buyers),
  };
}

function listOf(limits: LabRun['limits']): string {
  const parts = Object.entries(limits).map(([part, cpus]) => `${part} ${cpus}`);
  return parts.join(', ') || 'no limit';
}
