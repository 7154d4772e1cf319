import type { Alarm, Alarms } from '../alarms.ts';
import { retryDelayMs } from '../retry-delay.ts';
import type { Line } from './line.ts';
import type { QueueStore, Seen, Vanished } from './store.ts';

/** The slow look at the queue: messages from Redis are a hint, and what they should have said may be lost. */
export interface Watches {
  add(line: Line, holderTtlMs: number): void;
  remove(line: Line): void;
  /** Messages may have been missed: looks at everything now. */
  lookNow(): void;
  close(): void;
}

/**
 * When the holder is dead the lock expires, and the first look after that finds the next holder: it comes some
 * milliseconds later, not the same for all who wait.
 */
const afterExpiryMs = { least: 2, most: 10 };

/** What Redis says of a key that does not expire. (Of one that is not there: -2. Then it is time to look.) */
const noExpiry = -1;

interface Watch extends Alarm {
  /** The lines that wait for one name, the oldest first: one, unless callers do not share their entry. */
  readonly lines: Set<Line>;
  looking: boolean;
}

/**
 * One look per name and client, however many wait: it is the sign of life of all of them. `pollMs` apart, or sooner
 * if the lock may expire sooner.
 *
 * @param onHolder told who holds a lock that we wait for: it may be one of us who has not heard of it
 */
export function createWatches(
  store: QueueStore,
  alarms: Alarms,
  pollMs: number,
  onHolder: (name: string, holder: string) => void,
): Watches {
  const watches = new Map<string, Watch>();

  function watchOf(name: string): Watch {
    let watch = watches.get(name);
    if (watch === undefined) {
      const created: Watch = {
        atMs: 0,
        slot: -1,
        lines: new Set(),
        looking: false,
        ring: () => void look(name, created),
      };
      watches.set(name, created);
      watch = created;
    }
    return watch;
  }

  async function look(name: string, watch: Watch): Promise<void> {
    const id = watch.lines.values().next().value?.entry?.id;
    if (watch.looking || id === undefined) return;
    alarms.clear(watch);
    watch.looking = true;
    const sentAtMs = alarms.clock.now();
    try {
      const reply = await store.poll(name, id);
      watch.looking = false;
      seen(name, watch, id, reply, sentAtMs);
    } catch (error) {
      watch.looking = false;
      for (const line of watch.lines) line.unseen(error, sentAtMs);
      if (watch.lines.size > 0)
        alarms.set(watch, alarms.clock.now() + retryDelayMs(4, { longestMs: pollMs }));
    }
  }

  function seen(name: string, watch: Watch, id: string, reply: Seen | Vanished, sentAtMs: number): void {
    if (reply.is === 'vanished') {
      const lines = [...watch.lines];
      // One that has got the lock in the meantime, or gave up, says nothing about the others.
      if (lines[0]?.entry?.id === id) for (const line of lines) line.vanished();
    } else {
      for (const line of watch.lines) line.seen(reply, sentAtMs);
      if (reply.holder !== undefined) onHolder(name, reply.holder);
    }
    if (watch.lines.size > 0) {
      alarms.set(watch, alarms.clock.now() + delayMs(reply.is === 'seen' ? reply.holderTtlMs : 0));
    }
  }

  function delayMs(holderTtlMs: number): number {
    const regularMs = pollMs * (0.75 + 0.25 * Math.random());
    // Without an expiry, which only somebody else can have taken from it, there is nothing to wait for.
    if (holderTtlMs === noExpiry) return regularMs;
    const { least, most } = afterExpiryMs;
    return Math.min(regularMs, Math.max(holderTtlMs, 0) + least + (most - least) * Math.random());
  }

  return {
    add(line, holderTtlMs) {
      const watch = watchOf(line.name);
      watch.lines.add(line);
      const atMs = alarms.clock.now() + delayMs(holderTtlMs);
      if (!watch.looking && (!alarms.isSet(watch) || atMs < watch.atMs)) alarms.set(watch, atMs);
    },
    remove(line) {
      const watch = watches.get(line.name);
      if (watch === undefined || !watch.lines.delete(line) || watch.lines.size > 0) return;
      alarms.clear(watch);
      watches.delete(line.name);
    },
    lookNow() {
      for (const [name, watch] of watches) void look(name, watch);
    },
    close() {
      for (const watch of watches.values()) alarms.clear(watch);
      watches.clear();
    },
  };
}
