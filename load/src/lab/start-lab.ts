import { UserError } from '@lastseat/infra/command-line';

import { startUnlessInterrupted, type BenchStack } from '../bench/stack/start-stack.ts';
import { untilServing } from '../bench/stack/until-serving.ts';
import { LEASE_MS } from '../faults/arena.ts';
import { clusterOfStack, postgresFinder } from '../faults/replicas.ts';
import { patientOracle } from '../patient-oracle.ts';
import type { Race } from '../race/race.ts';
import { recordRace } from '../race/record-race.ts';
import type { Cell, RoundTrips } from '../runs/run.ts';
import { offeredStrategies } from '../target.ts';
import { openOracle } from '../truth.ts';
import { countRoundTrips } from './count-round-trips.ts';
import { FAULTS } from './faults.ts';
import { cellsOf, inTurns, notOffered, type PlannedSlice } from './matrix.ts';
import type { Options } from './options.ts';
import { recordStruckRace } from './record-struck-race.ts';
import { measureSlice, type Lab } from './slice.ts';

/** A pause has to be longer than a lease: those of the drills. */
const SHORT_LEASES = { settings: { LOCK_TTL_MS: String(LEASE_MS) } };

// As many lanes as can be told apart, and a pause in which a race is certain.
const RACE = { tickets: 2, buyers: 9, raceWindowMs: 20 };

// Long enough that what runs often is compiled.
const REHEARSAL_MS = 1_000;

/** A stack of its own, and what is to be measured on it. */
export interface StartedLab extends AsyncDisposable {
  stack: BenchStack;
  cells: Cell[];
  /** Of all that there have been; see `LabRun`. */
  replicaNames: Record<string, string>;
  planned: PlannedSlice[];
  /** Adds a slice to its cell, unless it is one for nothing, or interrupted. */
  measure(planned: PlannedSlice): Promise<void>;
  /** As many slices as make new processes compile what they run often, for nothing. */
  rehearse(): PlannedSlice[];
  countRoundTrips(): Promise<RoundTrips[]>;
  /** One contended moment of each guard, between as many replicas as there are, to be looked at. */
  recordRaces(): Promise<Race[]>;
}

export async function startLab(
  options: Options,
  signal: AbortSignal,
  keepHistory: Lab['keepHistory'],
): Promise<StartedLab> {
  const { settings } = options;
  await using resources = new AsyncDisposableStack();
  const faults = FAULTS.filter(({ name }) => settings.faults?.includes(name));
  const isStruck = faults.length > 0;
  const stack = resources.use(
    await startUnlessInterrupted(envOf(options), signal, isStruck ? SHORT_LEASES : {}),
  );
  const cluster = clusterOfStack(stack);
  // What is struck may be Postgres.
  const findPostgres = postgresFinder(cluster, stack);
  const oracle = resources.use(isStruck ? patientOracle(findPostgres) : await openOracle(stack.postgresUrl));
  const most = Math.max(...settings.replicas);
  const replicaNames: Record<string, string> = {};
  async function scale(replicas: number): Promise<void> {
    await stack.scale(replicas);
    Object.assign(replicaNames, stack.replicaNames());
  }
  await scale(most);
  // As processes all of them run all the time, behind an nginx for each number of them.
  const fronts = stack.startFronts && resources.use(await stack.startFronts(settings.replicas, signal));
  let present = most;
  const lab: Lab = {
    stack,
    oracle,
    settings,
    signal,
    keepHistory,
    targetOf(replicas) {
      const url = fronts?.urls.get(replicas) ?? stack.url;
      return { ...stack, url, replicas, hasQuorum: true };
    },
  };
  const offered = await offeredStrategies(stack.url);
  if (isStruck) {
    lab.striking = {
      cluster,
      signal,
      guaranteeOf: (name) => offered.find((strategy) => strategy.name === name)?.guarantee ?? 'none',
      onHealed: () => stack.findProcesses(),
    };
  }
  const missing = notOffered(settings.strategies, offered);
  if (missing.length > 0) throw new UserError(`the service does not offer ${missing.join(', ')}`);
  const cells = cellsOf(settings);

  /** Nothing is kept of a slice that was interrupted: what it has measured is not what was asked. */
  async function measureUnlessInterrupted(planned: PlannedSlice): Promise<void> {
    await measure(planned).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  async function measure({ cell, slice }: PlannedSlice): Promise<void> {
    if (fronts === undefined && cell.replicas !== present) {
      await scale(cell.replicas);
      present = cell.replicas;
    }
    await untilServing(lab.targetOf(cell.replicas).url, signal);
    // A slice of number 0 is one for nothing.
    const isRehearsal = slice === 0;
    const windowMs = isRehearsal ? Math.min(settings.windowMs, REHEARSAL_MS) : settings.windowMs;
    const measured = await measureSlice({ ...lab, settings: { ...settings, windowMs } }, cell, slice);
    if (!isRehearsal) cell.slices.push(measured);
  }

  async function recordRaces(): Promise<Race[]> {
    const races: Race[] = [];
    for (const strategy of settings.strategies) {
      if (strategy === 'no-op' || signal.aborted) continue;
      const course = { target: lab.targetOf(most), oracle, cluster };
      races.push(await recordRace(course, { ...RACE, strategy }));
      for (const drill of faults.filter(({ holds }) => holds)) {
        if (!signal.aborted)
          races.push(await recordStruckRace(course, { strategy, drill, replicas: most, signal }));
      }
    }
    return races;
  }

  const kept = resources.move();
  return {
    stack,
    cells,
    replicaNames,
    planned: inTurns(cells, settings.slices, fronts === undefined),
    measure: measureUnlessInterrupted,
    rehearse: () => rehearsals(cells, most),
    // In containers servers have other ports after each start.
    countRoundTrips: async () =>
      countRoundTrips({ ...lab, stack: { ...stack, ...(await cluster.find()) } }, signal),
    recordRaces,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Every guard once, where all replicas are: each of them has compiled it then. */
function rehearsals(cells: readonly Cell[], most: number): PlannedSlice[] {
  const [first] = cells;
  const wanted = cells.filter(
    ({ replicas, connections, fault }) =>
      replicas === most && connections === first?.connections && fault === first.fault,
  );
  // Nothing strikes them: nobody counts them.
  return wanted.map(({ fault: _fault, ...cell }) => ({ cell, slice: 0 }));
}

function envOf({ runtime }: Options): NodeJS.ProcessEnv {
  return { ...process.env, ...(runtime && { RUNTIME: runtime }) };
}
