import { count } from '../../words.ts';
import { measureCell } from '../cell.ts';
import type { SweepStep } from '../measurements.ts';
import { has, inTurn, type Field, type Pace, type Step } from '../step.ts';

const GUARD = 'batched-lock';
const GUARDS = ['batched-lock at home', GUARD, 'no-op'] as const;
const CONNECTIONS = 64;
// From many to few: those that stay are warm, and new ones have to be started only once.
const REPLICAS = [8, 4, 2, 1];
// Eight processes start at once.
const START_MS = 6_000;
const SCALE_MS = 1_500;
const OVERHEAD_MS = 300;
// For each new replica, since chance decides which of them is an event's home.
const REHEARSALS_AT_HOME = 3;
// In Docker nginx asks once a second who there is, and a replica that has gone does not even refuse.
const FORGET_MS = { docker: 2_500, native: 0 };

/**
 * What more or fewer replicas do to one hot event, at its home and where all of them contend for it; and to the no-op
 * route, since on a machine that does not grow with them more processes are slower whatever they do.
 */
export function sweepSteps(field: Field, { repeats, windowMs }: Pace, results: SweepStep[]): Step[] {
  if (!has(field, GUARD)) return [];
  // As long again as is measured: a replica that was idle while others were home takes a second or two to be at its best.
  const warmUpMs = windowMs;
  return REPLICAS.flatMap((replicas, position) => {
    const isGrowing = position === 0;
    // New processes compile what they run often; the more of them there are, the less each of them runs.
    const rehearsalMs = (isGrowing ? replicas : 1) * windowMs;
    const scale: Step = {
      what: `scaling to ${count(replicas, 'replica')}`,
      expectedMs: (isGrowing ? START_MS : SCALE_MS) + rehearsalMs,
      async run(bench) {
        await bench.stack.scale(replicas);
        const timing = { repeat: 0, warmUpMs: FORGET_MS[bench.stack.runtime], windowMs: rehearsalMs };
        await measureCell(bench, WORKLOAD, timing);
      },
    };
    // Whichever of them is the home of an event that is measured, it is to have had a crowd all to itself before.
    const homes = Array.from({ length: isGrowing ? REHEARSALS_AT_HOME * replicas : 0 }, (): Step => {
      return {
        what: 'rehearsal at home',
        expectedMs: windowMs / 2 + OVERHEAD_MS,
        async run(bench) {
          const timing = { repeat: 0, warmUpMs: 0, windowMs: windowMs / 2 };
          await measureCell(bench, { ...WORKLOAD, guard: 'batched-lock at home' }, timing);
        },
      };
    });
    const measured = Array.from({ length: repeats }, (_, index) => index + 1).flatMap((repeat) =>
      inTurn(GUARDS, repeat).map((guard): Step => {
        return {
          what: `${guard}, ${count(replicas, 'replica')}`,
          expectedMs: warmUpMs + windowMs + OVERHEAD_MS,
          async run(bench) {
            const cell = await measureCell(bench, { ...WORKLOAD, guard }, { repeat, warmUpMs, windowMs });
            results.push({ ...cell, replicas });
          },
        };
      }),
    );
    return [scale].concat(homes, measured);
  });
}

const WORKLOAD = { guard: GUARD, connections: CONNECTIONS, events: 1 } as const;
