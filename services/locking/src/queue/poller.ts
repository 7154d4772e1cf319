import { retryDelayMs } from '../retry-delay.ts';
import type { Timer, Timers } from '../timers.ts';
import type { QueueStore, Seen, Vanished } from './store.ts';

/** What is polled for: a name whose entry is in the queue. */
export interface Polled {
  readonly name: string;
  /** Undefined: it has nothing in Redis any more. */
  readonly entryId: string | undefined;
  /** The entry is there. */
  seen(reply: Seen, sentAtMs: number): void;
  /** It is not there. */
  vanished(): void;
  /** No reply. */
  unseen(cause: unknown, sentAtMs: number): void;
}

/** Looks at the queue now and then: messages from Redis are a hint, and what they should have said may be lost. */
export interface Poller {
  add(polled: Polled, holderTtlMs: number): void;
  remove(polled: Polled): void;
  /** Messages may have been missed: polls for everything now. */
  pollNow(): void;
  close(): void;
}

/**
 * When the holder is dead the lock expires, and the first poll after that finds the next holder. Each client polls some
 * milliseconds after the expiry, and not all at the same time.
 */
const afterExpiryMs = { least: 2, most: 10 };

/** What Redis says of a key that does not expire. (Of one that is not there: -2. Then it is time to poll.) */
const noExpiry = -1;

interface Poll extends Timer {
  /** Those that wait for one name, the oldest first: one, unless callers do not share their entry. */
  readonly waiting: Set<Polled>;
  isUnderWay: boolean;
}

/**
 * One poll per name and client, however many wait: it is the sign of life of all of them. `pollMs` apart, or sooner
 * if the lock may expire sooner.
 *
 * @param onHolder told who holds a lock that we wait for: it may be one of us who has not heard of it
 */
export function createPoller(
  store: Pick<QueueStore, 'poll'>,
  timers: Timers,
  pollMs: number,
  onHolder: (name: string, holder: string) => void,
): Poller {
  const polls = new Map<string, Poll>();

  function pollOf(name: string): Poll {
    let poll = polls.get(name);
    if (poll === undefined) {
      const created: Poll = {
        atMs: 0,
        slot: -1,
        waiting: new Set(),
        isUnderWay: false,
        fire: () => void send(name, created),
      };
      polls.set(name, created);
      poll = created;
    }
    return poll;
  }

  async function send(name: string, poll: Poll): Promise<void> {
    const id = poll.waiting.values().next().value?.entryId;
    if (poll.isUnderWay || id === undefined) return;
    timers.disarm(poll);
    poll.isUnderWay = true;
    const sentAtMs = timers.clock.now();
    try {
      const reply = await store.poll(name, id);
      poll.isUnderWay = false;
      answered(name, poll, id, reply, sentAtMs);
    } catch (error) {
      poll.isUnderWay = false;
      for (const polled of poll.waiting) polled.unseen(error, sentAtMs);
      if (poll.waiting.size > 0)
        timers.arm(poll, timers.clock.now() + retryDelayMs(4, { longestMs: pollMs }));
    }
  }

  function answered(name: string, poll: Poll, id: string, reply: Seen | Vanished, sentAtMs: number): void {
    if (reply.is === 'vanished') {
      const waiting = [...poll.waiting];
      // One that has got the lock in the meantime, or gave up, says nothing about the others.
      if (waiting[0]?.entryId === id) for (const polled of waiting) polled.vanished();
    } else {
      for (const polled of poll.waiting) polled.seen(reply, sentAtMs);
      if (reply.holder !== undefined) onHolder(name, reply.holder);
    }
    if (poll.waiting.size > 0) {
      timers.arm(poll, timers.clock.now() + delayMs(reply.is === 'seen' ? reply.holderTtlMs : 0));
    }
  }

  function delayMs(holderTtlMs: number): number {
    const regularMs = pollMs * (0.75 + 0.25 * Math.random());
    // Only another program can have removed the expiry. Then there is no such time to wait for.
    if (holderTtlMs === noExpiry) return regularMs;
    const { least, most } = afterExpiryMs;
    return Math.min(regularMs, Math.max(holderTtlMs, 0) + least + (most - least) * Math.random());
  }

  return {
    add(polled, holderTtlMs) {
      const poll = pollOf(polled.name);
      poll.waiting.add(polled);
      const atMs = timers.clock.now() + delayMs(holderTtlMs);
      if (!poll.isUnderWay && (!timers.isArmed(poll) || atMs < poll.atMs)) timers.arm(poll, atMs);
    },
    remove(polled) {
      const poll = polls.get(polled.name);
      if (poll === undefined || !poll.waiting.delete(polled) || poll.waiting.size > 0) return;
      timers.disarm(poll);
      polls.delete(polled.name);
    },
    pollNow() {
      for (const [name, poll] of polls) void send(name, poll);
    },
    close() {
      for (const poll of polls.values()) timers.disarm(poll);
      polls.clear();
    },
  };
}
