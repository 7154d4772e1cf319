import { setTimeout as sleep } from 'node:timers/promises';

import { randomNumbers } from '@lastseat/lab-frame/random.ts';

import { nowMs, sleepUntil } from './clock.ts';
import type { OpenLock } from './contender.ts';
import type { Failures } from './failures.ts';
import { createGrantLog, type Grants } from './grants.ts';
import type { Wire } from './wire.ts';

export interface WaitersPlan {
  /** How many waiters this process has. */
  waiters: number;
  /** Which process it is: its waiters choose other names than those of the next one. */
  process: number;
  /** Among how many lock names they choose. */
  names: number;
  /** How long the critical section takes. */
  sectionMs: number;
  /** Who was served asks again when all waiters of its process were; otherwise at once. */
  inRounds: boolean;
  /** The window that counts, by the clock that all processes share. What is before is for warming up. */
  fromMs: number;
  untilMs: number;
  /** How long those who still wait at the end of the window are waited for; nobody asks anew. */
  drainMs: number;
}

export interface WaitersLog extends Failures {
  waiters: number;
  /** All grants, also those before and after the window. */
  grants: Grants;
  /** The edges of the window, as near to the planned ones as the event loop came. */
  from: Reading;
  until: Reading;
  /** When those asked who were still waiting when it ended. */
  stillWaitingMs: Float64Array;
  endedMs: number;
}

/** What this process has used up so far. */
export interface Reading {
  atMs: number;
  writes: number;
  cpuUs: number;
}

/** Each waiter asks, has its critical section, releases, and asks again. */
export async function runWaiters(lock: OpenLock, wire: Wire, plan: WaitersPlan): Promise<WaitersLog> {
  const log = createGrantLog();
  const askedMs = new Float64Array(plan.waiters).fill(Number.NaN);
  const stop = new AbortController();
  const round = startRounds(plan.waiters, stop.signal);
  let failures = 0;
  let firstFailure: string | null = null;

  async function wait(waiter: number): Promise<void> {
    const random = randomNumbers(plan.process * plan.waiters + waiter + 1);
    while (!stop.signal.aborted) {
      const name = Math.floor(random() * plan.names);
      const asked = nowMs();
      askedMs[waiter] = asked;
      // Without a pause it is a plain function: not even a promise is between the grant and the release.
      await lock.withLock(`seat-${name}`, (token) => {
        const granted = nowMs();
        askedMs[waiter] = Number.NaN;
        const leave = (): void => log.add(waiter, name, asked, granted, nowMs(), token);
        return plan.sectionMs > 0 && !stop.signal.aborted ? sleep(plan.sectionMs).then(leave) : leave();
      });
      if (plan.inRounds) await round.served();
    }
  }

  const all = Promise.all(
    Array.from({ length: plan.waiters }, (_, waiter) =>
      wait(waiter).catch((error: unknown) => {
        failures += 1;
        firstFailure ??= String(error);
      }),
    ),
  );
  await sleepUntil(plan.fromMs);
  const from = read(wire);
  await sleepUntil(plan.untilMs);
  const until = read(wire);
  stop.abort();

  const limit = new AbortController();
  await Promise.race([all, sleep(plan.drainMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  limit.abort();
  return {
    waiters: plan.waiters,
    grants: log.grants(),
    from,
    until,
    stillWaitingMs: askedMs.filter((asked) => !Number.isNaN(asked)),
    endedMs: nowMs(),
    failures,
    firstFailure,
  };
}

/** A round ends when everybody was served, or when it is all over. */
function startRounds(waiters: number, over: AbortSignal) {
  let toBeServed = waiters;
  let end = Promise.withResolvers<void>();
  over.addEventListener('abort', () => end.resolve());
  return {
    served(): Promise<void> {
      const { promise } = end;
      toBeServed -= 1;
      if (toBeServed === 0) {
        end.resolve();
        end = Promise.withResolvers<void>();
        toBeServed = waiters;
      }
      return over.aborted ? Promise.resolve() : promise;
    },
  };
}

function read(wire: Wire): Reading {
  const { user, system } = process.cpuUsage();
  return { atMs: nowMs(), writes: wire.writes, cpuUs: user + system };
}
