import { type Alarms, createAlarms } from '#src/alarms.ts';
import type { Clock } from '#src/clock.ts';

/** A clock turned by hand: no test waits for a lease to expire. */
export interface HandClock extends Clock {
  readonly alarms: Alarms;
  /** How many timers are armed. */
  timers(): number;
  /** Lets time pass; every timer on the way fires at its time, and what it started in promises runs to rest. */
  pass(ms: number): Promise<void>;
  /** Lets time pass while no timer can fire: a blocked event loop. */
  block(ms: number): void;
}

export function createHandClock(): HandClock {
  let now = 1_000;
  const timers = new Set<{ atMs: number; fn: () => void }>();

  const clock: Clock = {
    now: () => now,
    setTimer(fn, delayMs) {
      const timer = { atMs: now + delayMs, fn };
      timers.add(timer);
      return timer;
    },
    clearTimer(timer) {
      timers.delete(timer as { atMs: number; fn: () => void });
    },
  };

  return {
    ...clock,
    alarms: createAlarms(clock),
    timers: () => timers.size,
    block(ms) {
      now += ms;
    },
    async pass(ms) {
      const untilMs = now + ms;
      for (;;) {
        await settle();
        const next = [...timers].sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > untilMs) break;
        timers.delete(next);
        now = Math.max(now, next.atMs);
        next.fn();
      }
      now = Math.max(now, untilMs);
      await settle();
    },
  };
}

/** Runs promise reactions until none are left: the event loop gets to its check phase only then. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
