import { count } from '../../words.ts';
import { measureCell } from '../cell.ts';
import type { SweepStep } from '../measurements.ts';
import { has, type Bench, type Field, type Pace, type Step } from '../step.ts';

const GUARD = 'batched-lock';
const CONNECTIONS = 64;
// From many to few: those that stay are warm, and only the first has to be waited for.
const REPLICAS = [8, 4, 2, 1];
// A new process compiles what it runs often; with eight of them on two cores that takes its time.
const WARM_UPS_PER_REPLICA = 2;
// Eight processes start at once.
const START_MS = 6_000;
// In Docker nginx asks once a second who there is, and a replica that has gone does not even refuse.
const FORGET_MS = { docker: 2_500, native: 0 };

/** What more or fewer replicas do to one hot event. */
export function sweepSteps(field: Field, pace: Pace, results: SweepStep[]): Step[] {
  if (!has(field, GUARD)) return [];
  return Array.from({ length: pace.repeats }, (_, index) => index + 1).flatMap((repeat) =>
    REPLICAS.map((replicas, position): Step => {
      const isGrowing = position === 0;
      const warmUpMs = pace.warmUpMs * (isGrowing ? WARM_UPS_PER_REPLICA * replicas : 1);
      return {
        what: `${GUARD}, ${count(replicas, 'replica')}`,
        expectedMs: warmUpMs + pace.windowMs + (isGrowing ? START_MS : 1_500),
        async run(bench: Bench) {
          await bench.stack.scale(replicas);
          const workload = { guard: GUARD, connections: CONNECTIONS, events: 1 } as const;
          const forgetMs = FORGET_MS[bench.stack.runtime];
          const timing = { ...pace, repeat, warmUpMs: warmUpMs + forgetMs };
          results.push({ ...(await measureCell(bench, workload, timing)), replicas });
        },
      };
    }),
  );
}
