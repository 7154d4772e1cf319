import { count } from '@lastseat/lab-frame/words.ts';

import { measureCell } from '../cell.ts';
import type { GuardName, SweepStep } from '../measurements.ts';
import type { Fronts } from '../stack/fronts.ts';
import { has, inTurn, repeatsOf, type Field, type Pace, type Step } from '../step.ts';

const GUARD = 'batched-update';
/** The one of which there is a figure. */
const JUDGED = 'batched-update at home';
const GUARDS: readonly GuardName[] = [JUDGED, GUARD, 'no-op'];
const CONNECTIONS = 64;
// From many to few: those that stay are warm, and new ones have to be started only once.
const REPLICAS = [8, 4, 2, 1];
// Eight processes start at once.
const START_MS = 6_000;
const SCALE_MS = 1_500;
const OVERHEAD_MS = 300;
const FRONTS_MS = 500;
const HOME_REHEARSAL_MS = 800;
// For each new replica, since chance decides which of them is an event's home.
const REHEARSALS_AT_HOME = 3;
// In Docker nginx asks once a second who there is, and a replica that has gone does not even refuse.
const FORGET_MS = { docker: 2_500, native: 0 };

/**
 * What more or fewer replicas do to one hot event, at its home and where all of them contend for it; and to the no-op
 * route, since on a machine that does not grow with them more processes are slower whatever they do.
 *
 * Where they are processes, all of them run all the time, behind an nginx for each number of them, and the numbers take
 * turns: those of one repeat may be compared. Containers are stopped instead, and one number comes after the other.
 */
export function sweepSteps(field: Field, pace: Pace, runtime: Runtime, results: SweepStep[]): Step[] {
  if (!has(field, GUARD)) return [];
  return runtime === 'native' ? interleaved(pace, results) : oneByOne(pace, results);
}

type Runtime = keyof typeof FORGET_MS;

function interleaved(pace: Pace, results: SweepStep[]): Step[] {
  let fronts: Fronts | undefined;
  const start: Step = {
    what: 'starting an nginx for each number of replicas',
    expectedMs: FRONTS_MS,
    async run({ stack, resources, signal }) {
      if (!stack.startFronts) throw new Error('this stack has one nginx');
      fronts = resources.use(await stack.startFronts(REPLICAS, signal));
    },
  };
  const measured = repeatsOf(pace).flatMap(({ repeat, isFull }) =>
    inTurn<GuardName>(isFull ? GUARDS : [JUDGED], repeat).flatMap((guard) =>
      inTurn(REPLICAS, repeat).map((replicas) =>
        sliceStep(guard, replicas, repeat, pace, results, () => fronts?.urls.get(replicas)),
      ),
    ),
  );
  return [...scaleSteps(REPLICAS[0] ?? 1, true, pace), start, ...measured];
}

function oneByOne(pace: Pace, results: SweepStep[]): Step[] {
  const full = repeatsOf(pace).filter(({ isFull }) => isFull);
  return REPLICAS.flatMap((replicas, position) => {
    const slices = full.flatMap(({ repeat }) =>
      inTurn(GUARDS, repeat).map((guard) => sliceStep(guard, replicas, repeat, pace, results)),
    );
    return scaleSteps(replicas, position === 0, pace).concat(slices);
  });
}

/** With rehearsals: whichever of them is the home of an event, it is to have had a crowd all to itself before. */
function scaleSteps(replicas: number, areNew: boolean, { windowMs }: Pace): Step[] {
  // New processes compile what they run often; the more of them there are, the less each of them runs.
  const rehearsalMs = (areNew ? replicas : 1) * windowMs;
  const scale: Step = {
    what: `scaling to ${count(replicas, 'replica')}`,
    expectedMs: (areNew ? START_MS : SCALE_MS) + rehearsalMs,
    async run(bench) {
      await bench.stack.scale(replicas);
      const timing = { repeat: 0, warmUpMs: FORGET_MS[bench.stack.runtime], windowMs: rehearsalMs };
      await measureCell(bench, WORKLOAD, timing);
    },
  };
  const homes = Array.from({ length: areNew ? REHEARSALS_AT_HOME * replicas : 0 }, (): Step => {
    return {
      what: 'rehearsal at home',
      expectedMs: HOME_REHEARSAL_MS + OVERHEAD_MS,
      async run(bench) {
        const timing = { repeat: 0, warmUpMs: 0, windowMs: HOME_REHEARSAL_MS };
        await measureCell(bench, { ...WORKLOAD, guard: JUDGED }, timing);
      },
    };
  });
  return [scale].concat(homes);
}

function sliceStep(
  guard: GuardName,
  replicas: number,
  repeat: number,
  { windowMs }: Pace,
  results: SweepStep[],
  frontOf?: () => string | undefined,
): Step {
  // As long again as is measured: a replica that was idle while others were home takes a second or two to be at its best.
  const warmUpMs = windowMs;
  return {
    what: `${guard}, ${count(replicas, 'replica')}`,
    expectedMs: warmUpMs + windowMs + OVERHEAD_MS,
    async run(bench) {
      const timing = { repeat, warmUpMs, windowMs };
      const cell = await measureCell(bench, { ...WORKLOAD, guard }, timing, frontOf?.());
      results.push({ ...cell, replicas, isInterleaved: frontOf !== undefined });
    },
  };
}

const WORKLOAD = { guard: GUARD, connections: CONNECTIONS, events: 1 } as const;
