import { timeBareTrips } from './bare-trips.ts';
import type { OpenLock } from './contender.ts';
import { measureCrowd } from './crowd.ts';
import { openLock, type OpenPlan } from './open-lock.ts';
import { runWaiters, type WaitersPlan } from './waiters.ts';
import { countWrites } from './wire.ts';

/** The program of a worker process. It does what the bench asks for over its IPC channel, one thing at a time. */

const wire = countWrites();
let lock: OpenLock | null = null;

const tasks = {
  /** If it is not open already. */
  async open(plan: OpenPlan) {
    lock ??= await openLock(plan);
  },
  run(plan: WaitersPlan) {
    if (!lock) throw new Error('no lock is open');
    return runWaiters(lock, wire, plan);
  },
  async close() {
    await lock?.close();
    lock = null;
  },
  crowd: measureCrowd,
  bareTrips: timeBareTrips,
};

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;

export interface Request<Name extends TaskName = TaskName> {
  task: Name;
  argument: Parameters<Tasks[Name]>[0];
}

export type Reply = { result: unknown } | { error: string };

process.on('message', ({ task, argument }: Request) => {
  // Which argument goes with which task is seen to by the types of the one who asks.
  const run = tasks[task] as (argument: unknown) => Promise<unknown>;
  Promise.try(run, argument).then(
    (result) => reply({ result }),
    (error: unknown) =>
      reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

function reply(message: Reply): void {
  process.send?.(message);
}

// The bench has gone, however it ended: nobody waits for what is under way.
process.on('disconnect', () => process.exit());
