import { RefusedError } from './client/errors.ts';
import { retryDelayMs } from './retry-delay.ts';
import type { Timer, Timers } from './timers.ts';

/**
 * Releases that Redis has not answered: tried again, ever more rarely. Whoever gave the lock back has been told that the
 * outcome is unknown and waits no more; the others need not wait for the lock to expire.
 */
export interface LateReleases {
  /** Resolves when Redis has answered, has refused, or `isOver` says before a try that there is no point any more. */
  repeat(release: () => Promise<unknown>, isOver: () => boolean): Promise<void>;
  /** Redis can be asked again: tries at once. */
  wake(): void;
}

export function createLateReleases(timers: Timers): LateReleases {
  const pauses = new Set<Timer>();

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = {
        atMs: 0,
        slot: -1,
        fire() {
          timers.disarm(timer);
          pauses.delete(timer);
          resolve();
        },
      };
      pauses.add(timer);
      timers.arm(timer, timers.clock.now() + ms);
    });
  }

  return {
    async repeat(release, isOver) {
      for (let failures = 0; ; failures += 1) {
        await pause(retryDelayMs(failures));
        if (isOver()) return;
        try {
          await release();
          return;
        } catch (error) {
          if (error instanceof RefusedError) return;
        }
      }
    },
    wake() {
      for (const pause of pauses) pause.fire();
    },
  };
}
