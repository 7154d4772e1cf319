import { type Clock, type Timers, createTimers } from '#src/timers.ts';

/** A clock turned by hand: no test waits for a lease to expire. */
export interface HandClock extends Clock {
  readonly timers: Timers;
  /** How many timeouts are armed. */
  timeouts(): number;
  /** Lets time pass; every timeout on the way fires at its time, and what it started in promises runs to rest. */
  pass(ms: number): Promise<void>;
  /** Lets time pass while no timeout can fire: a blocked event loop. */
  block(ms: number): void;
}

export function createHandClock(): HandClock {
  let now = 1_000;
  const timeouts = new Set<{ atMs: number; fn: () => void }>();

  const clock: Clock = {
    now: () => now,
    setTimeout(fn, delayMs) {
      const timeout = { atMs: now + delayMs, fn };
      timeouts.add(timeout);
      return timeout;
    },
    clearTimeout(timeout) {
      timeouts.delete(timeout as { atMs: number; fn: () => void });
    },
  };

  return {
    ...clock,
    timers: createTimers(clock),
    timeouts: () => timeouts.size,
    block(ms) {
      now += ms;
    },
    async pass(ms) {
      const untilMs = now + ms;
      for (;;) {
        await settle();
        const next = [...timeouts].sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined || next.atMs > untilMs) break;
        timeouts.delete(next);
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
