import { UserError } from '@lastseat/infra/command-line';

import { startUnlessInterrupted, type BenchStack } from '../bench/stack/start-stack.ts';
import { untilServing } from '../bench/stack/until-serving.ts';
import type { Race } from '../race/race.ts';
import { recordRace } from '../race/record-race.ts';
import type { Cell, RoundTrips } from '../runs/run.ts';
import { offeredStrategies } from '../target.ts';
import { openOracle } from '../truth.ts';
import { countRoundTrips } from './count-round-trips.ts';
import { cellsOf, inTurns, notOffered, type PlannedSlice } from './matrix.ts';
import type { Options } from './options.ts';
import { measureSlice, type Lab } from './slice.ts';

// As many lanes as can be told apart, and a pause in which a race is certain.
const RACE = { tickets: 2, buyers: 9, raceWindowMs: 20 };

/** A stack of its own, and what is to be measured on it. */
export interface StartedLab extends AsyncDisposable {
  stack: BenchStack;
  cells: Cell[];
  /** Of all that there have been; see `LabRun`. */
  replicaNames: Record<string, string>;
  planned: PlannedSlice[];
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
  const { settings, arrivals } = options;
  await using resources = new AsyncDisposableStack();
  const stack = resources.use(await startUnlessInterrupted(envOf(options), signal));
  const oracle = resources.use(await openOracle(stack.postgresUrl));
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
    arrivals,
    keepHistory,
    targetOf(replicas) {
      const url = fronts?.urls.get(replicas) ?? stack.url;
      return { ...stack, url, replicas, hasQuorum: true };
    },
  };
  const offered = await offeredStrategies(stack.url);
  const missing = notOffered(settings.strategies, offered);
  if (missing.length > 0) throw new UserError(`the service does not offer ${missing.join(', ')}`);
  const cells = cellsOf(settings);

  async function measure({ cell, slice }: PlannedSlice): Promise<void> {
    if (fronts === undefined && cell.replicas !== present) {
      await scale(cell.replicas);
      present = cell.replicas;
    }
    await untilServing(lab.targetOf(cell.replicas).url, signal);
    const measured = await measureSlice(lab, cell, slice);
    // A slice of number 0 is one for nothing.
    if (slice > 0) cell.slices.push(measured);
  }

  async function recordRaces(): Promise<Race[]> {
    const races: Race[] = [];
    for (const strategy of settings.strategies) {
      if (strategy === 'no-op' || signal.aborted) continue;
      races.push(await recordRace(lab.targetOf(most), oracle, { ...RACE, strategy }));
    }
    return races;
  }

  const kept = resources.move();
  return {
    stack,
    cells,
    replicaNames,
    planned: inTurns(cells, settings.slices, fronts === undefined),
    measure,
    rehearse: () => rehearsals(cells, most),
    countRoundTrips: () => countRoundTrips(lab, signal),
    recordRaces,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Every guard once, where all replicas are: each of them has compiled it then. */
function rehearsals(cells: readonly Cell[], most: number): PlannedSlice[] {
  const [first] = cells;
  const wanted = cells.filter(
    ({ replicas, connections }) => replicas === most && connections === first?.connections,
  );
  return wanted.map((cell) => ({ cell, slice: 0 }));
}

function envOf({ runtime }: Options): NodeJS.ProcessEnv {
  return { ...process.env, ...(runtime && { RUNTIME: runtime }) };
}
