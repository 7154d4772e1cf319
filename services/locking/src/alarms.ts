import { type Clock, systemClock } from './clock.ts';

/** Something that wants to be called at a time. The two fields belong to the `Alarms` it is set in. */
export interface Alarm {
  /** When it is to ring; `Infinity`: not at all. */
  atMs: number;
  /** Where it stands in the heap; -1: nowhere. */
  slot: number;
  /** Must not throw. */
  ring(): void;
}

/**
 * Any number of alarms on one timer: ten thousand waiters, each with its own time-out, cost ten thousand small heap
 * entries and not ten thousand timers.
 */
export interface Alarms {
  readonly clock: Clock;
  /** Sets the alarm, or moves it. */
  set(alarm: Alarm, atMs: number): void;
  clear(alarm: Alarm): void;
  isSet(alarm: Alarm): boolean;
  /** How many are set. */
  readonly size: number;
}

/** The longest delay a timer takes, about 24.8 days; Node turns a longer one into 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

/** So many cleared alarms are left in the heap in any case: clearing it up for fewer is not worth the while. */
const idleWaste = 64;

/**
 * A binary heap that is tidied late. Nearly every alarm is cleared, or moved to a later time, long before its time has
 * come. Both only change the alarm and leave the heap as it is, ordered by the times at which the alarms *were* set
 * (`keys`), never later than they are wanted now. What is found at the top too early, or cleared, is put right then;
 * and once more than half are cleared, all of them are thrown out. So an alarm costs the same, a few memory accesses,
 * among ten thousand others as among ten, and what is cleared is not kept for long.
 */
export function createAlarms(clock: Clock): Alarms {
  const heap: Alarm[] = [];
  const keys: number[] = [];
  let cleared = 0;
  let timer: unknown;
  let timerAtMs = Infinity;

  // The timer is only ever brought forward. One that comes too early finds nothing due and is set anew: cheaper than a
  // new timer for each of the many alarms that are cleared long before their time.
  function wake(): void {
    timer = undefined;
    timerAtMs = Infinity;
    const now = clock.now();
    for (let first = heap[0]; first !== undefined && (keys[0] as number) <= now; first = heap[0]) {
      const due = first.atMs <= now;
      if (due || first.atMs === Infinity) {
        takeFirst();
        if (due) first.ring();
        else cleared -= 1;
      } else {
        sink(first, first.atMs, 0);
      }
    }
    aim();
  }

  function aim(): void {
    const firstMs = keys[0];
    if (firstMs === undefined || firstMs >= timerAtMs) return;
    if (timer !== undefined) clock.clearTimer(timer);
    timerAtMs = firstMs;
    // Node's timers may fire up to a millisecond early; rounding up saves the second round.
    const delayMs = Math.ceil(Math.max(0, firstMs - clock.now()));
    timer = clock.setTimer(wake, Math.min(delayMs, longestTimerMs));
  }

  function put(alarm: Alarm, key: number, slot: number): void {
    heap[slot] = alarm;
    keys[slot] = key;
    alarm.slot = slot;
  }

  function rise(alarm: Alarm, key: number, from: number): void {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      if ((keys[above] as number) <= key) break;
      put(heap[above] as Alarm, keys[above] as number, slot);
      slot = above;
    }
    put(alarm, key, slot);
  }

  function sink(alarm: Alarm, key: number, from: number): void {
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (keys[below + 1] as number) < (keys[below] as number)) below += 1;
      if ((keys[below] as number) >= key) break;
      put(heap[below] as Alarm, keys[below] as number, slot);
      slot = below;
    }
    put(alarm, key, slot);
  }

  function takeFirst(): void {
    const first = heap[0] as Alarm;
    const last = heap.pop() as Alarm;
    const key = keys.pop() as number;
    first.slot = -1;
    if (last !== first) sink(last, key, 0);
  }

  function tidy(): void {
    const kept = heap.filter((alarm) => alarm.atMs !== Infinity);
    for (const alarm of heap) alarm.slot = -1;
    heap.length = 0;
    keys.length = 0;
    cleared = 0;
    for (const alarm of kept) rise(alarm, alarm.atMs, heap.length);
  }

  return {
    clock,
    set(alarm, atMs) {
      const { slot } = alarm;
      if (slot !== -1 && alarm.atMs === Infinity) cleared -= 1;
      alarm.atMs = atMs;
      if (slot === -1) rise(alarm, atMs, heap.length);
      else if (atMs < (keys[slot] as number)) rise(alarm, atMs, slot);
      aim();
    },
    clear(alarm) {
      if (alarm.slot === -1 || alarm.atMs === Infinity) return;
      alarm.atMs = Infinity;
      if (alarm.slot === heap.length - 1) {
        heap.pop();
        keys.pop();
        alarm.slot = -1;
        return;
      }
      cleared += 1;
      if (cleared > idleWaste && 2 * cleared > heap.length) tidy();
    },
    isSet: (alarm) => alarm.slot !== -1 && alarm.atMs !== Infinity,
    get size() {
      return heap.length - cleared;
    },
  };
}

/** The alarms of this process: all locks in it share one timer. */
export const systemAlarms: Alarms = createAlarms(systemClock);
