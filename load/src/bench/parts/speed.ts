import { count, thousands } from '@lastseat/lab-frame/words.ts';

import { BOUNDED } from '../bounds.ts';
import { measureCell } from '../cell.ts';
import { comparedWorkloads } from '../figures.ts';
import {
  isSame,
  VARIANTS,
  type Cell,
  type GuardName,
  type Measurements,
  type Workload,
} from '../measurements.ts';
import { has, inTurn, repeatsOf, type Field, type Pace, type Step } from '../step.ts';
import { commitCycleStep } from './commit-cycle.ts';

/** Enough that two requests seldom meet on one of them. */
export const MANY_EVENTS = 1_000;
/** How many buyers at a time the many events are given. */
export const MANY_EVENTS_CONNECTIONS = 64;

// Creating the event, connecting, the last answers, counting the rows.
const OVERHEAD_MS = 500;
const OVERHEAD_PER_EVENT_MS = 1;

/**
 * Every guard under every load in the full repeats, and in the others only what the figures compare. That is measured
 * together, in each repeat the other way round, so that both sides of a pair meet the machine in the same state.
 */
export function speedSteps(
  field: Field,
  pace: Pace,
  results: Pick<Measurements, 'cells' | 'commitCycles'>,
): Step[] {
  const workloads = workloadsOf(field);
  const compared = comparedWorkloads().filter((side) => workloads.some((workload) => isSame(side, workload)));
  const others = workloads.filter((workload) => !compared.some((side) => isSame(side, workload)));
  const measured = repeatsOf(pace).flatMap(({ repeat, isFull }) => {
    const cells = (isFull ? [...compared, ...others] : compared).map((workload) =>
      cellStep(workload, repeat, pace, results.cells),
    );
    const isBounded = BOUNDED.every((side) => compared.some((workload) => isSame(side, workload)));
    // Beside what it bounds, which stands first among what is compared.
    return inTurn(isBounded ? [commitCycleStep(repeat, results.commitCycles), ...cells] : cells, repeat);
  });
  return [...rehearsals(field, pace), ...measured];
}

function cellStep(workload: Workload, repeat: number, pace: Pace, results: Cell[]): Step {
  const { guard, connections, events } = workload;
  const where = events === 1 ? count(connections, 'connection') : `${thousands(events)} events`;
  return {
    what: `${guard}, ${where}`,
    expectedMs: pace.warmUpMs + pace.windowMs + OVERHEAD_MS + events * OVERHEAD_PER_EVENT_MS,
    async run(bench) {
      results.push(await measureCell(bench, workload, { ...pace, repeat }));
    },
  };
}

// Some thousand requests for each replica, of all but the slowest guards.
const REHEARSAL_WINDOWS = 1.5;
const REHEARSAL_CONNECTIONS = 64;

/** New processes compile what they run often; whoever is measured first is not to pay for all. */
function rehearsals(field: Field, pace: Pace): Step[] {
  const windowMs = REHEARSAL_WINDOWS * pace.windowMs;
  return ['no-op' as const, ...guardsOf(field)].map((guard): Step => {
    return {
      what: `rehearsal of ${guard}`,
      expectedMs: windowMs + OVERHEAD_MS,
      async run(bench) {
        const workload = { guard, connections: REHEARSAL_CONNECTIONS, events: 1 };
        await measureCell(bench, workload, { repeat: 0, warmUpMs: 0, windowMs });
      },
    };
  });
}

function workloadsOf(field: Field): Workload[] {
  const { connections } = field;
  const guards = guardsOf(field);
  const hot = connections.flatMap((connections) =>
    ['no-op' as const, ...guards].map((guard) => ({ guard, connections, events: 1 })),
  );
  if (!connections.includes(MANY_EVENTS_CONNECTIONS)) return hot;
  const onMany = guards.filter((guard) => !VARIANTS.some((variant) => variant === guard));
  return [
    ...hot,
    ...onMany.map((guard) => ({ guard, connections: MANY_EVENTS_CONNECTIONS, events: MANY_EVENTS })),
  ];
}

/** The service's own route too: of its own strategy, and of the one that books the same batches under a lock. */
const AT_HOME = ['batched-update', 'batched-lock'] as const;

function guardsOf(field: Field): Exclude<GuardName, 'no-op'>[] {
  const atHome = AT_HOME.filter((name) => has(field, name)).map((name) => `${name} at home` as const);
  const others = has(field, 'batched-update') ? VARIANTS : [];
  return [...atHome, ...others, ...field.strategies.map(({ name }) => name)];
}
