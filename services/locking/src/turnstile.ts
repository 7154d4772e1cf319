import { systemClock, type Clock } from './clock.ts';

/**
 * Lets one waiter of each name try at a time, in the order in which they came, where waiting means trying. A thousand
 * waiters of a process that all try are a thousand times the load on the servers, and where a lock needs several of them
 * they keep each other from any majority.
 *
 * It makes trying cheaper and grants nothing: whoever is let through still has to obtain the lock. And it does not keep it
 * in the process: after a while of taking turns here, the next one pauses like everybody else, and others have a chance.
 */
export interface Turnstile {
  /** Takes a place in the line of this name. */
  enter(name: string): Place;
  /** This process has given the lock back: who is next may try at once, unless others are due. */
  ring(name: string): void;
}

export interface Place {
  /** Resolves when all who came before have left. */
  readonly turn: Promise<void>;
  /** Whether this process holds the lock, as far as it knows: then a try would be in vain. */
  readonly isHeldHere: boolean;
  /** Resolves at the next ring, if it is through by then. A later call takes the place of an earlier one. */
  rung(): Promise<void>;
  /** Lets the next one through, or leaves the line before its turn. To be called in any case, once. */
  leave(how: { holding: boolean }): void;
}

interface Waiting {
  readonly let: () => void;
  ring: (() => void) | undefined;
}

interface Line {
  readonly places: Set<Waiting>;
  isHeldHere: boolean;
  /** By then the process has had the lock long enough, if it has it. */
  turnEndsMs: number | undefined;
}

/** @param turnMs how long the waiters of a process may take turns before others are due, in milliseconds */
export function createTurnstile(turnMs: number, clock: Pick<Clock, 'now'> = systemClock): Turnstile {
  const lines = new Map<string, Line>();

  function enter(name: string): Place {
    let line = lines.get(name);
    if (line === undefined) {
      line = { places: new Set(), isHeldHere: false, turnEndsMs: undefined };
      lines.set(name, line);
    }
    const { places } = line;
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    const place: Waiting = { let: resolve, ring: undefined };
    places.add(place);
    if (places.size === 1) resolve();
    return {
      turn,
      get isHeldHere() {
        return line.isHeldHere;
      },
      // A promise of its own for each pause: one for all of them would gather what hangs on it for as long as nobody rings.
      rung: () =>
        new Promise((resolve) => {
          place.ring = resolve;
        }),
      leave({ holding }) {
        places.delete(place);
        if (holding) {
          line.isHeldHere = true;
          line.turnEndsMs ??= clock.now() + turnMs;
        }
        // The oldest: a set remembers the order. If its turn has come already, this is nothing new to it.
        for (const next of places) return next.let();
        lines.delete(name);
      },
    };
  }

  function ring(name: string): void {
    const line = lines.get(name);
    if (line === undefined) return;
    line.isHeldHere = false;
    if (line.turnEndsMs !== undefined && clock.now() >= line.turnEndsMs) {
      line.turnEndsMs = undefined;
      return;
    }
    for (const first of line.places) return first.ring?.();
  }

  return { enter, ring };
}
