import type { StrategyName } from '@lastseat/booking/contract';
import { count } from '@lastseat/lab-frame/words.ts';

import { measureCell } from '../cell.ts';
import type { GuardName, SweepStep } from '../measurements.ts';
import { inTurn, type Pace, type Step } from '../step.ts';

// From many to few: those that stay are warm, and new ones have to be started only once.
const REPLICAS = [8, 4, 2, 1];
// With fewer, two that book by the batch differ by what a lone booking costs.
const FEWEST_CONNECTIONS = 64;
const START_MS = 6_000;
const OVERHEAD_MS = 300;
// Chance decides which replica is an event's home, so that it takes some events until each of them has been one.
const REHEARSALS_AT_HOME = 3;
const REHEARSAL_MS = 500;

/**
 * Two guards in turn, slice by slice, under everything that may make a difference between them: with more and fewer
 * replicas, at home and spread, and with a crowd that gathers between two commits or one that never runs out.
 */
export function compareSteps(
  [first, second]: readonly StrategyName[],
  connections: readonly number[],
  pace: Pace,
  results: SweepStep[],
): Step[] {
  if (first === undefined || second === undefined) return [];
  const pairs: [GuardName, GuardName][] = [
    [`${first} at home`, `${second} at home`],
    [first, second],
  ];
  const crowds = connections.filter((connections) => connections >= FEWEST_CONNECTIONS);
  return REPLICAS.flatMap((replicas, position) => {
    const measured = crowds.flatMap((connections) =>
      pairs.flatMap((pair) => slices(pair, connections, replicas, pace, results)),
    );
    return scaleSteps(pairs.flat(), replicas, position === 0).concat(measured);
  });
}

/** New processes compile what they run often; nobody is to be measured before that. */
function scaleSteps(guards: readonly GuardName[], replicas: number, areNew: boolean): Step[] {
  const scale: Step = {
    what: `scaling to ${count(replicas, 'replica')}`,
    expectedMs: START_MS,
    run: (bench) => bench.stack.scale(replicas),
  };
  const times = REHEARSALS_AT_HOME * (areNew ? replicas : 1);
  const rehearsals = Array.from({ length: times }, () => guards).flatMap((guards) =>
    guards.map((guard): Step => {
      return {
        what: `rehearsal of ${guard}`,
        expectedMs: REHEARSAL_MS + OVERHEAD_MS,
        async run(bench) {
          const workload = { guard, connections: FEWEST_CONNECTIONS, events: 1 };
          await measureCell(bench, workload, { repeat: 0, warmUpMs: 0, windowMs: REHEARSAL_MS });
        },
      };
    }),
  );
  return [scale].concat(rehearsals);
}

function slices(
  pair: readonly GuardName[],
  connections: number,
  replicas: number,
  { repeats, warmUpMs, windowMs }: Pace,
  results: SweepStep[],
): Step[] {
  return Array.from({ length: repeats }, (_, index) => index + 1).flatMap((repeat) =>
    inTurn(pair, repeat).map((guard): Step => {
      return {
        what: `${guard}, ${count(connections, 'connection')}, ${count(replicas, 'replica')}`,
        expectedMs: warmUpMs + windowMs + OVERHEAD_MS,
        async run(bench) {
          const workload = { guard, connections, events: 1 };
          const cell = await measureCell(bench, workload, { repeat, warmUpMs, windowMs });
          results.push({ ...cell, replicas, isInterleaved: false });
        },
      };
    }),
  );
}
