import { setImmediate as turn } from 'node:timers/promises';

import { lockWaitOf, type BookingRequest, type Outcome } from '#src/booking/strategy.ts';

import { giveUp, type Pending } from './pending.ts';

/**
 * Gathers requests into batches, one queue an event. While a batch is being decided the next one gathers behind it, so
 * the batch grows with the number of buyers and a lone request waits for nobody.
 *
 * A request joins only a batch that has not been sent yet. So what the batch's statement reads, it reads after all of
 * its requests arrived, and a refusal that rests on that read is true. This file knows nothing of locks or SQL.
 */

/** One statement inserts a batch; beyond a few hundred rows a larger one buys nothing and holds the row for longer. */
const MAX_BATCH = 512;

/** Turns of the event loop in which a batch still gathers, each only if the one before it brought somebody. */
const MAX_TURNS = 3;

/** Requests of all events that may wait in one replica: about two seconds of its best rate, and a few MB. */
const MAX_WAITING = 10_000;

const EXPIRED = 'Too many are waiting for this event; nothing was written.';

/** What has gathered for one event. */
export interface Gathered {
  readonly eventId: number;
  /** Monotonic time at which the oldest of them is given up. */
  readonly deadlineMs: number;
  /** The oldest of them, in whose trace is what is done before the batch is taken. */
  readonly oldest: BookingRequest | undefined;
  /** Takes a batch, oldest first, without those that nobody waits for any more. Called when it is about to be sent. */
  take(): readonly Pending[];
  /** Takes all that wait, however many they are. */
  takeAll(): readonly Pending[];
  /** Gives up those whose time is over and leaves the others. */
  dropExpired(): void;
}

export interface BatchQueueOptions {
  /** Decides a batch: takes it, or drops some, and settles all that it took. Never rejects. */
  decide(gathered: Gathered): Promise<void>;
  maxBatch?: number;
  maxWaiting?: number;
}

export interface BatchQueues {
  /** Adds a request to its event's queue. It is settled by its deadline and the bounds of `decide`. */
  enqueue(pending: Pending): void;
  /** Requests that wait now, over all events. */
  readonly waiting: number;
}

interface Queue {
  readonly eventId: number;
  pending: Pending[];
  isDeciding: boolean;
}

export function createBatchQueues(options: BatchQueueOptions): BatchQueues {
  const { decide, maxBatch = MAX_BATCH, maxWaiting = MAX_WAITING } = options;
  const queues = new Map<number, Queue>();
  const due = new Set<Queue>();
  let waiting = 0;

  /** Requests that arrive in the same turn of the event loop belong to the same batch. */
  function schedule(queue: Queue): void {
    if (due.size === 0) setImmediate(decideDue);
    due.add(queue);
  }

  function decideDue(): void {
    const now = [...due];
    due.clear();
    for (const queue of now) void decideOneByOne(queue);
  }

  async function decideOneByOne(queue: Queue): Promise<void> {
    if (queue.isDeciding) return;
    queue.isDeciding = true;
    while (queue.pending.length > 0) {
      await decide(gatheredIn(queue));
      await gatherMore(queue);
    }
    queue.isDeciding = false;
    queues.delete(queue.eventId);
  }

  /** Whoever has already reached this process comes along: the next turns of the event loop read their requests. */
  async function gatherMore(queue: Queue): Promise<void> {
    for (let turns = 0, had = -1; turns < MAX_TURNS && queue.pending.length > had; turns += 1) {
      had = queue.pending.length;
      await turn();
    }
  }

  function gatheredIn(queue: Queue): Gathered {
    return {
      eventId: queue.eventId,
      deadlineMs: queue.pending[0]?.deadlineMs ?? 0,
      oldest: queue.pending[0]?.request,
      take: () => take(queue, maxBatch),
      takeAll: () => take(queue, Number.POSITIVE_INFINITY),
      dropExpired() {
        queue.pending = take(queue, Number.POSITIVE_INFINITY);
        waiting += queue.pending.length;
      },
    };
  }

  function take(queue: Queue, atMost: number): Pending[] {
    const now = performance.now();
    const taken: Pending[] = [];
    let seen = 0;
    for (const pending of queue.pending) {
      if (taken.length === atMost) break;
      seen += 1;
      if (pending.deadlineMs <= now || pending.request.signal.aborted) giveUp(pending, EXPIRED);
      else taken.push(pending);
    }
    queue.pending.splice(0, seen);
    waiting -= seen;
    return taken;
  }

  return {
    enqueue(pending) {
      if (waiting >= maxWaiting) {
        giveUp(pending, EXPIRED);
        return;
      }
      const { eventId } = pending.request;
      let queue = queues.get(eventId);
      if (queue === undefined) {
        queue = { eventId, pending: [], isDeciding: false };
        queues.set(eventId, queue);
      }
      queue.pending.push(pending);
      waiting += 1;
      schedule(queue);
    },
    get waiting() {
      return waiting;
    },
  };
}

/** @param waitMs after it, a request that is not yet on its way to the database is given up */
export function bookInBatch(queues: BatchQueues, request: BookingRequest, waitMs: number): Promise<Outcome> {
  const deadlineMs = performance.now() + lockWaitOf(request, waitMs);
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  queues.enqueue({ request, deadlineMs, isInDoubt: false, settle: resolve, fail: reject });
  return promise;
}
