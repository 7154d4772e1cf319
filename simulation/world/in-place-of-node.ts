import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

import type { Event, Scheduler } from './scheduler.ts';

/**
 * Puts the scheduler's time and chance in the place of Node's, for the code that runs here: `performance.now`, timers,
 * `node:timers/promises` and `Math.random`. A timer belongs to the process in whose event it was set, so that it waits
 * while that one is paused and dies with it.
 *
 * @returns puts Node's own back
 */
export function takeThePlaceOfNode(scheduler: Scheduler): Disposable {
  const { performance } = globalThis;
  const own = { setTimeout, clearTimeout, setImmediate, clearImmediate };
  const { random } = Math;
  const { setTimeout: sleep, setImmediate: turn } = timersPromises;

  /** Node's timers are coarse and late, never early. */
  const late = (ms: number) => Math.max(1, Math.ceil(ms)) + scheduler.random();

  function timer(run: () => void, ms: number): Timer {
    const event = scheduler.in(late(ms), scheduler.current, run);
    const self: Timer = { event, ref: () => self, unref: () => self, hasRef: () => true };
    return self;
  }

  function sleepFor<T>(
    ms = 1,
    value?: T,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        scheduler.cancel(event);
        reject(Object.assign(new Error('aborted', { cause: signal?.reason }), { name: 'AbortError' }));
      };
      const { event } = timer(() => {
        signal?.removeEventListener('abort', abort);
        resolve(value);
      }, ms);
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }

  Object.assign(globalThis, {
    setTimeout: (run: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) =>
      timer(() => run(...args), ms),
    clearTimeout: (cleared?: Timer) => cleared && scheduler.cancel(cleared.event),
    setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) =>
      scheduler.in(0, scheduler.current, () => run(...args)),
    clearImmediate: (event?: Event) => event && scheduler.cancel(event),
  });
  Math.random = scheduler.random;
  performance.now = scheduler.nowMs;
  Object.assign(timersPromises, { setTimeout: sleepFor, setImmediate: () => sleepFor(0) });
  syncBuiltinESMExports();

  return {
    [Symbol.dispose]() {
      Object.assign(globalThis, own);
      Math.random = random;
      // What was put over it; its own is that of all such objects.
      Reflect.deleteProperty(performance, 'now');
      Object.assign(timersPromises, { setTimeout: sleep, setImmediate: turn });
      syncBuiltinESMExports();
    },
  };
}

interface Timer {
  event: Event;
  ref(): Timer;
  unref(): Timer;
  hasRef(): boolean;
}
