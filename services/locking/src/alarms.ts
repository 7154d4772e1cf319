import { type Clock, systemClock } from './clock.ts';

/** Something that wants to be called at a time. The two fields belong to the `Alarms` it is set in. */
export interface Alarm {
  atMs: number;
  /** Where it stands in the heap; -1: not set. */
  slot: number;
  /** Must not throw. */
  ring(): void;
}

/**
 * Any number of alarms on one timer: ten thousand waiters, each with its own time-out, cost ten thousand small heap
 * entries and not ten thousand timers. A binary heap, each alarm knowing its slot, so that setting, moving and
 * clearing one costs O(log n) and a cleared one leaves nothing behind.
 */
export interface Alarms {
  readonly clock: Clock;
  /** Sets the alarm, or moves it. */
  set(alarm: Alarm, atMs: number): void;
  clear(alarm: Alarm): void;
  /** How many are set. */
  readonly size: number;
}

/** The longest delay a timer takes, about 24.8 days; Node turns a longer one into 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

export function createAlarms(clock: Clock): Alarms {
  const heap: Alarm[] = [];
  let timer: unknown;
  let timerAtMs = Infinity;

  // The timer is only ever brought forward. One that comes too early, because its alarm was cleared, finds nothing
  // due and is set anew: cheaper than a new timer for each of the many alarms that are cleared long before their time.
  function wake(): void {
    timer = undefined;
    timerAtMs = Infinity;
    const now = clock.now();
    for (let due = heap[0]; due !== undefined && due.atMs <= now; due = heap[0]) {
      remove(due);
      due.ring();
    }
    aim();
  }

  function aim(): void {
    const first = heap[0];
    if (first === undefined || first.atMs >= timerAtMs) return;
    if (timer !== undefined) clock.clearTimer(timer);
    timerAtMs = first.atMs;
    // Node's timers may fire up to a millisecond early; rounding up saves the second round.
    const delayMs = Math.ceil(Math.max(0, first.atMs - clock.now()));
    timer = clock.setTimer(wake, Math.min(delayMs, longestTimerMs));
  }

  function put(alarm: Alarm, slot: number): void {
    heap[slot] = alarm;
    alarm.slot = slot;
  }

  function rise(alarm: Alarm, from: number): void {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = heap[above] as Alarm;
      if (parent.atMs <= alarm.atMs) break;
      put(parent, slot);
      slot = above;
    }
    put(alarm, slot);
  }

  function sink(alarm: Alarm, from: number): void {
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && right.atMs < (heap[below] as Alarm).atMs) below += 1;
      const child = heap[below] as Alarm;
      if (child.atMs >= alarm.atMs) break;
      put(child, slot);
      slot = below;
    }
    put(alarm, slot);
  }

  function remove(alarm: Alarm): void {
    const { slot } = alarm;
    alarm.slot = -1;
    const last = heap.pop() as Alarm;
    if (last === alarm) return;
    if (last.atMs < alarm.atMs) rise(last, slot);
    else sink(last, slot);
  }

  return {
    clock,
    set(alarm, atMs) {
      if (alarm.slot !== -1) remove(alarm);
      alarm.atMs = atMs;
      rise(alarm, heap.length);
      aim();
    },
    clear(alarm) {
      if (alarm.slot !== -1) remove(alarm);
    },
    get size() {
      return heap.length;
    },
  };
}

/** The alarms of this process: all locks in it share one timer. */
export const systemAlarms: Alarms = createAlarms(systemClock);
