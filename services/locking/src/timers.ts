// (Imported, since the global one is a getter that is called for each use.)
import { performance } from 'node:perf_hooks';

/** Time as the lock sees it, so that tests can set it by hand. */
export interface Clock {
  /** Milliseconds by a clock that never steps back (its zero means nothing). */
  now(): number;
  /** Calls `fn` once, no sooner than `delayMs` from now. */
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/**
 * The monotonic clock of this process. Its timers keep no process alive: whoever waits for a lock waits for Redis,
 * and the connection to Redis does that already.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (fn, delayMs) => setTimeout(fn, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** Something that wants to be called at a time. The two fields belong to the `Timers` that it is armed in. */
export interface Timer {
  /** When it is to fire; `Infinity`: not at all. */
  atMs: number;
  /** Where it stands in the heap; -1: nowhere. */
  slot: number;
  /** Must not throw. */
  fire(): void;
}

/**
 * Any number of timers on one `setTimeout`: ten thousand waiters, each with its own time-out, cost ten thousand small
 * heap entries and not ten thousand timers of Node.
 */
export interface Timers {
  readonly clock: Clock;
  /** Arms the timer, or moves it to another time. */
  arm(timer: Timer, atMs: number): void;
  disarm(timer: Timer): void;
  isArmed(timer: Timer): boolean;
  /** How many are armed. */
  readonly size: number;
}

/** The longest delay that Node takes, about 24.8 days; it turns a longer one into 1 ms. */
export const maxTimerMs = 2 ** 31 - 1;

/** So many disarmed timers stay in the heap in any case: to remove fewer costs more than it saves. */
const idleWaste = 64;

/**
 * A binary heap that is tidied late. Nearly every timer is disarmed, or moved to a later time, long before its time has
 * come. Both change only the timer. The heap stays ordered by the times for which the timers were armed at first (`keys`),
 * which are never later than their times now. What is found at the top too early, or disarmed, is put right then. Once
 * more than half of the heap is disarmed, all of that is removed. So a timer costs the same, a few memory accesses, among
 * ten thousand others as among ten, and what is disarmed is not kept for long.
 */
export function createTimers(clock: Clock): Timers {
  const heap: Timer[] = [];
  const keys: number[] = [];
  let disarmed = 0;
  let timeout: unknown;
  let wakeAtMs = Infinity;

  // The time-out is only ever moved forward. One that comes too early finds nothing due and is set anew: cheaper than a new
  // one for each of the many timers that are disarmed long before their time.
  function wake(): void {
    timeout = undefined;
    wakeAtMs = Infinity;
    const now = clock.now();
    for (let first = heap[0]; first !== undefined && (keys[0] as number) <= now; first = heap[0]) {
      const due = first.atMs <= now;
      if (due || first.atMs === Infinity) {
        takeFirst();
        if (due) first.fire();
        else disarmed -= 1;
      } else {
        sink(first, first.atMs, 0);
      }
    }
    schedule();
  }

  function schedule(): void {
    const firstMs = keys[0];
    if (firstMs === undefined || firstMs >= wakeAtMs) return;
    if (timeout !== undefined) clock.clearTimeout(timeout);
    wakeAtMs = firstMs;
    // Node's timers may fire up to a millisecond early; rounding up saves the second round.
    const delayMs = Math.ceil(Math.max(0, firstMs - clock.now()));
    timeout = clock.setTimeout(wake, Math.min(delayMs, maxTimerMs));
  }

  function put(timer: Timer, key: number, slot: number): void {
    heap[slot] = timer;
    keys[slot] = key;
    timer.slot = slot;
  }

  function rise(timer: Timer, key: number, from: number): void {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      if ((keys[above] as number) <= key) break;
      put(heap[above] as Timer, keys[above] as number, slot);
      slot = above;
    }
    put(timer, key, slot);
  }

  function sink(timer: Timer, key: number, from: number): void {
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (keys[below + 1] as number) < (keys[below] as number)) below += 1;
      if ((keys[below] as number) >= key) break;
      put(heap[below] as Timer, keys[below] as number, slot);
      slot = below;
    }
    put(timer, key, slot);
  }

  function takeFirst(): void {
    const first = heap[0] as Timer;
    const last = heap.pop() as Timer;
    const key = keys.pop() as number;
    first.slot = -1;
    if (last !== first) sink(last, key, 0);
  }

  function tidy(): void {
    const kept = heap.filter((timer) => timer.atMs !== Infinity);
    for (const timer of heap) timer.slot = -1;
    heap.length = 0;
    keys.length = 0;
    disarmed = 0;
    for (const timer of kept) rise(timer, timer.atMs, heap.length);
  }

  return {
    clock,
    arm(timer, atMs) {
      const { slot } = timer;
      if (slot !== -1 && timer.atMs === Infinity) disarmed -= 1;
      timer.atMs = atMs;
      if (slot === -1) rise(timer, atMs, heap.length);
      else if (atMs < (keys[slot] as number)) rise(timer, atMs, slot);
      schedule();
    },
    disarm(timer) {
      if (timer.slot === -1 || timer.atMs === Infinity) return;
      timer.atMs = Infinity;
      if (timer.slot === heap.length - 1) {
        heap.pop();
        keys.pop();
        timer.slot = -1;
        return;
      }
      disarmed += 1;
      if (disarmed > idleWaste && 2 * disarmed > heap.length) tidy();
    },
    isArmed: (timer) => timer.slot !== -1 && timer.atMs !== Infinity,
    get size() {
      return heap.length - disarmed;
    },
  };
}

/** The timers of this process: all locks in it share one time-out. */
export const systemTimers: Timers = createTimers(systemClock);
