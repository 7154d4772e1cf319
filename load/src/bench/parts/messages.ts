import type { StrategyName } from '@lastseat/booking/contract';
import { count } from '@lastseat/lab-frame/words.ts';

import { guardOf } from '../../scenario.ts';
import { BODY, createFullEvents } from '../cell.ts';
import type { MessagesPerBooking } from '../measurements.ts';
import { startCountedReplicas, type CountedReplicas } from '../messages/counted-replicas.ts';
import type { Bench, Field, Step } from '../step.ts';

// First every connection is made and every statement prepared; that is not counted.
const WARM_UP_MS = 300;
// Even the slowest guard makes some hundred bookings meanwhile.
const COUNTED_MS = 700;
const OVERHEAD_MS = 600;
const START_MS = 2_500;

// The largest crowd up to this: with a larger one the slow guards mostly wait, and the fast ones differ little.
const MOST_CONNECTIONS = 64;

/**
 * How often a booking goes to Postgres and to Redis. Counted in a pass of its own, on two replicas that reach both
 * through counting proxies: these cost time, so nothing is timed here.
 */
export function messageSteps(field: Field, results: MessagesPerBooking[]): Step[] {
  const crowds = field.connections.filter((connections) => connections <= MOST_CONNECTIONS);
  if (crowds.length === 0) return [];
  const connections = Math.max(...crowds);
  let replicas: CountedReplicas | undefined;
  const start: Step = {
    what: 'starting two replicas behind counting proxies',
    expectedMs: START_MS,
    async run(bench) {
      replicas = bench.resources.use(await startCountedReplicas(bench.stack));
    },
  };
  const steps = field.strategies.map(({ name: guard }): Step => {
    return {
      what: `messages of ${guard}, ${count(connections, 'connection')}`,
      expectedMs: WARM_UP_MS + COUNTED_MS + OVERHEAD_MS,
      async run(bench) {
        if (replicas) results.push(...(await countMessages(bench, replicas, guard, connections)));
      },
    };
  });
  return [start, ...steps];
}

/** @returns nothing where nothing was booked */
export async function countMessages(
  { generator, target }: Pick<Bench, 'generator' | 'target'>,
  { origins, counts }: CountedReplicas,
  guard: StrategyName,
  connections: number,
): Promise<MessagesPerBooking[]> {
  const [eventId = 0] = await createFullEvents(target, `bench ${guard}`, 1);
  const load = { origins, paths: [guardOf(guard).path(eventId)], body: BODY, connections };
  await generator.send({ ...load, timing: { warmUpMs: 0, windowMs: WARM_UP_MS } });

  const before = counts();
  const { statuses } = await generator.send({ ...load, timing: { warmUpMs: 0, windowMs: COUNTED_MS } });
  const after = counts();
  const bookings = statuses['201'] ?? 0;
  if (bookings === 0) return [];
  const perBooking = (count: (counts: ReturnType<CountedReplicas['counts']>) => number): number =>
    (count(after) - count(before)) / bookings;
  return [
    {
      guard,
      connections,
      bookings,
      statements: perBooking(({ postgres }) => postgres.requests),
      postgresRoundTrips: perBooking(({ postgres }) => postgres.roundTrips),
      redisCommands: perBooking(({ redis }) => redis.requests),
      redisRoundTrips: perBooking(({ redis }) => redis.roundTrips),
    },
  ];
}
