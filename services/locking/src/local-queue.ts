import { systemClock, type Clock } from './timers.ts';

/**
 * The waiters of one process for a lock that has no queue of its own: of each name one at a time tries, in the order in
 * which they came. If all thousand waiters of a process tried, the load on the servers would be a thousand times as high,
 * and where a lock needs several servers the waiters would keep each other from a majority.
 *
 * It makes trying cheaper and grants nothing: whoever is first still has to obtain the lock. Nor does it keep the lock in
 * the process: its waiters follow one another for some time, and then the next one pauses before it tries, so that other
 * processes have a chance.
 */
export interface LocalQueue {
  /** Takes a place behind those who wait for this name. */
  enter(name: string): Place;
  /** This process has given the lock back: who is first may try at once, unless other processes are due. */
  released(name: string): void;
}

export interface Place {
  /** Resolves when all who came before have left. */
  readonly isFirst: Promise<void>;
  /** Whether this process holds the lock, as far as it knows: then a try would be in vain. */
  readonly isHeldHere: boolean;
  /** Resolves at the next release in this process, if it is first by then. A later call replaces an earlier one. */
  nextRelease(): Promise<void>;
  /** Makes the next one first, or gives up the place before. To be called in any case, once. */
  leave(how: { holding: boolean }): void;
}

interface Waiting {
  readonly becomeFirst: () => void;
  onRelease: (() => void) | undefined;
}

interface Queue {
  readonly places: Set<Waiting>;
  isHeldHere: boolean;
  /** After that time others are due. Undefined: this process does not have the lock. */
  tenureEndsMs: number | undefined;
}

/** @param tenureMs how long the waiters of a process may follow one another before others are due, in milliseconds */
export function createLocalQueue(tenureMs: number, clock: Pick<Clock, 'now'> = systemClock): LocalQueue {
  const queues = new Map<string, Queue>();

  function enter(name: string): Place {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = { places: new Set(), isHeldHere: false, tenureEndsMs: undefined };
      queues.set(name, queue);
    }
    const { places } = queue;
    const { promise: isFirst, resolve } = Promise.withResolvers<void>();
    const place: Waiting = { becomeFirst: resolve, onRelease: undefined };
    places.add(place);
    if (places.size === 1) resolve();
    return {
      isFirst,
      get isHeldHere() {
        return queue.isHeldHere;
      },
      // Each pause has a promise of its own. A shared one would collect what waits for it until somebody releases.
      nextRelease: () =>
        new Promise((resolve) => {
          place.onRelease = resolve;
        }),
      leave({ holding }) {
        places.delete(place);
        if (holding) {
          queue.isHeldHere = true;
          queue.tenureEndsMs ??= clock.now() + tenureMs;
        }
        // The oldest one, since a set keeps the order. If it is first already, nothing changes.
        for (const next of places) return next.becomeFirst();
        queues.delete(name);
      },
    };
  }

  function released(name: string): void {
    const queue = queues.get(name);
    if (queue === undefined) return;
    queue.isHeldHere = false;
    if (queue.tenureEndsMs !== undefined && clock.now() >= queue.tenureEndsMs) {
      queue.tenureEndsMs = undefined;
      return;
    }
    for (const first of queue.places) return first.onRelease?.();
  }

  return { enter, released };
}
