import type { FailpointStep } from '#src/contract.ts';
import type { Mark } from '#src/marks.ts';

/**
 * A fault that strikes a booking at one of its steps and nowhere else. Killing a replica from outside at a drawn moment
 * nearly always misses the moments that matter, such as the one between a commit and its answer; here the booking says
 * itself when it is there. Lab mode only, and only for a request that asks for it (x-failpoint).
 */
export interface Failpoint {
  step: FailpointStep;
  /**
   * `exit`: the process ends as by SIGKILL. `block`: nothing of the process runs, its timers and its renewals neither, as
   * in a long garbage collection. `pause`: this one request goes on later, everything else of the process goes on.
   */
  fault: 'exit' | 'block' | 'pause';
  /** How long the other two take. */
  ms: number;
}

/**
 * @param onStrike called before it does; what it writes to a log may not get there any more where the process ends
 * @returns what strikes the first time that the step is reached, and not after `end` was called
 */
export function createStriker(
  failpoint: Failpoint,
  onStrike: () => void,
): {
  strikeAt(mark: Mark): Promise<void> | undefined;
  end(): void;
} {
  let isOver = false;
  return {
    strikeAt({ name }) {
      if (isOver || name !== failpoint.step) return undefined;
      isOver = true;
      onStrike();
      return strike(failpoint);
    },
    // A request that is answered may have left its name on work that goes on for others.
    end() {
      isOver = true;
    },
  };
}

function strike({ fault, ms }: Failpoint): Promise<void> | undefined {
  if (fault === 'pause') return new Promise((resolve) => setTimeout(resolve, ms));
  if (fault === 'exit') process.kill(process.pid, 'SIGKILL');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return undefined;
}
