import { systemClock, type Clock } from './timers.ts';

/**
 * The waiters of one process for a lock that has no queue of its own: of each name one at a time tries, in the order in
 * which they came. A thousand waiters of a process that all try are a thousand times the load on the servers, and where a
 * lock needs several of them they keep each other from any majority.
 *
 * It makes trying cheaper and grants nothing: whoever is first still has to obtain the lock. And it does not keep the lock
 * in the process: after some time in which its waiters followed one another, the next one pauses like everybody else, and
 * other processes have a chance.
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
  /** By then the process has had the lock long enough, if it has it. */
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
      // A promise of its own for each pause: one for all of them would gather what waits for it until somebody releases.
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
        // The oldest: a set remembers the order. If it is first already, this is nothing new to it.
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
