import { setTimeout as sleep } from 'node:timers/promises';

import { PostgresBusyError } from '#src/storage/failure.ts';

/**
 * Keeps one locked row from holding up other events. A statement that waits for a row keeps its connection meanwhile,
 * so only a few may wait at a time. All others pass a locked row over and come back a little later.
 */

/** Between two looks at a row that is locked by somebody else. A commit takes a millisecond or two. */
const PAUSE_MS = 10;

export interface RowWaits {
  /** @returns the leave to wait for a row, to be disposed of afterwards; undefined if too many wait */
  enter(): Disposable | undefined;
  /**
   * Runs `work` until it finds its row free.
   * @param work told whether it may wait for the row; otherwise it answers `locked` where it would have to
   * @param untilMs monotonic time after which a locked row is not looked at again
   * @throws PostgresBusyError the row stayed locked; and whatever `work` throws
   */
  untilFree<T>(untilMs: number, work: (mayWait: boolean) => Promise<T | 'locked'>): Promise<T>;
}

export function createRowWaits(maxWaiting: number): RowWaits {
  let waiting = 0;

  function enter(): Disposable | undefined {
    if (waiting >= maxWaiting) return undefined;
    waiting += 1;
    return { [Symbol.dispose]: () => void (waiting -= 1) };
  }

  async function once<T>(work: (mayWait: boolean) => Promise<T>): Promise<T> {
    using leave = enter();
    return await work(leave !== undefined);
  }

  return {
    enter,
    async untilFree(untilMs, work) {
      for (;;) {
        const result = await once(work);
        if (result !== 'locked') return result;
        if (performance.now() >= untilMs) throw new PostgresBusyError('the row of the event stayed locked');
        // Jitter: whoever met here would meet again.
        await sleep(PAUSE_MS * (0.5 + Math.random()));
      }
    },
  };
}
