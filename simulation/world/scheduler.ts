/**
 * Owns all time and everything that happens: a timer, a message that arrives, a fault. One thing happens at a time, in the
 * order of its moment, and each is part of a process: a replica, a server, the buyers. A process that is paused does
 * nothing until it goes on, and then finds at once all that has come meanwhile; one that has crashed does nothing any more.
 *
 * What follows from an event by promises alone belongs to it, and is over before the next one happens.
 */
export interface Scheduler {
  nowMs(): number;
  /** From 0 to 1. The only source of chance. */
  random(): number;
  /** A whole number, both ends among them. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** Whose event it is that happens now. */
  readonly current: Process;
  newProcess(name: string): Process;
  in(delayMs: number, process: Process, run: () => void): Event;
  cancel(event: Event): void;
  /** Until nothing happens any more, or until that time. */
  runUntil(untilMs: number): Promise<void>;
  pause(process: Process): void;
  resume(process: Process): void;
  crash(process: Process): void;
  tell(what: () => string): void;
}

export interface Process {
  readonly name: string;
  state: 'runs' | 'paused' | 'crashed';
  /** What has come since it was paused. */
  readonly held: Event[];
}

export interface Event {
  atMs: number;
  readonly order: number;
  readonly process: Process;
  /** Null: it has happened, or was cancelled. */
  run: (() => void) | null;
}

/** Nothing takes no time at all: two things that have waited for the same moment happen one after the other. */
const TAKES_MS = 0.002;

/** @param onLine told of each line of the trace; without it none is made */
export function createScheduler(random: () => number, onLine?: (line: string) => void): Scheduler {
  const queue = createHeap();
  const world: Process = { name: 'world', state: 'runs', held: [] };
  let now = 0;
  let orders = 0;
  let current = world;

  const self: Scheduler = {
    nowMs: () => now,
    random,
    between: (least, most) => least + Math.floor(random() * (most - least + 1)),
    chance: (probability) => random() < probability,
    get current() {
      return current;
    },
    newProcess: (name) => ({ name, state: 'runs', held: [] }),
    in(delayMs, process, run) {
      orders += 1;
      const event = { atMs: now + delayMs, order: orders, process, run };
      queue.add(event);
      return event;
    },
    cancel(event) {
      event.run = null;
    },
    async runUntil(untilMs) {
      for (let event = queue.first(); event !== undefined && event.atMs <= untilMs; event = queue.first()) {
        queue.takeFirst();
        const { process, run } = event;
        if (run === null || process.state === 'crashed') continue;
        now = Math.max(now, event.atMs);
        if (process.state === 'paused') {
          process.held.push(event);
          continue;
        }
        event.run = null;
        current = process;
        run();
        await allPromises();
        current = world;
        now += TAKES_MS;
      }
    },
    pause(process) {
      if (process.state !== 'runs') return;
      process.state = 'paused';
      self.tell(() => `${process.name} is paused`);
    },
    resume(process) {
      if (process.state !== 'paused') return;
      process.state = 'runs';
      self.tell(() => `${process.name} goes on`);
      for (const held of process.held.splice(0)) {
        if (held.run === null) continue;
        held.atMs = now;
        queue.add(held);
      }
    },
    crash(process) {
      process.state = 'crashed';
      process.held.length = 0;
      self.tell(() => `${process.name} crashes`);
    },
    tell(what) {
      onLine?.(`${now.toFixed(2).padStart(9)}  ${what()}`);
    },
  };
  return self;
}

// Before anything is put in the place of Node's own.
const realSetImmediate = globalThis.setImmediate;

/** The event loop gets to its check phase only when no promise has anything left to do. */
function allPromises(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve);
  });
}

function createHeap() {
  const heap: Event[] = [];

  function isBefore(a: Event, b: Event): boolean {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  return {
    first: () => heap[0],
    add(event: Event) {
      let slot = heap.length;
      heap.push(event);
      while (slot > 0) {
        const above = (slot - 1) >> 1;
        if (!isBefore(event, heap[above] as Event)) break;
        heap[slot] = heap[above] as Event;
        slot = above;
      }
      heap[slot] = event;
    },
    takeFirst() {
      const last = heap.pop() as Event;
      if (heap.length === 0) return;
      let slot = 0;
      for (;;) {
        let below = 2 * slot + 1;
        if (below >= heap.length) break;
        if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below += 1;
        if (!isBefore(heap[below] as Event, last)) break;
        heap[slot] = heap[below] as Event;
        slot = below;
      }
      heap[slot] = last;
    },
  };
}
