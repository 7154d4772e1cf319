import { clientOf } from '@lastseat/locking';

import { failWith, giveUp, type Pending } from './pending.ts';

/**
 * Gathers requests into batches, one queue an event, and sees to it that each event is decided in one place: by the
 * replica that holds its lock. While a batch is being decided the next one gathers behind it, so the batch grows with
 * the crowd and a lone request waits for nobody.
 *
 * A replica that finds the lock held by another one does not fight for it: it *delegates*, and the holder books for
 * both. So however many replicas share a crowd, it forms one batch after the other and not many small ones that wait
 * for each other. (Combining what waits under the lock of whoever holds it is an old idea: Hendler, Incze, Shavit and
 * Tzafrir, "Flat Combining and the Synchronization-Parallelism Tradeoff", 2010.) A replica that was turned away, or got
 * no answer, stands in line for the lock and decides by itself.
 *
 * This file knows nothing of locks, messages or SQL.
 */

/** One statement inserts a batch; beyond a few hundred rows a larger one buys nothing and holds the row for longer. */
const MAX_BATCH = 512;

/** Requests of all events that may wait in one replica: about two seconds of its best rate, and a few MB. */
const MAX_WAITING = 10_000;

/** Batches of one event that another replica may have from us: one that it is booking, and one that waits there. */
const MAX_DELEGATED = 2;

/** Events whose holder is remembered. One that is forgotten costs a look into Redis. */
const MAX_GRANTS = 10_000;

/** A holder that was not heard of for longer than this has probably given the lock back. */
const TRUSTED_MS = 1_000;

const EXPIRED = 'Too many are waiting for this event; nothing was written.';

export interface BatchQueueOptions {
  /** Who we are among those who hold locks. */
  clientId: string;
  /**
   * Decides a batch under the event's lock: takes what has gathered as soon as the lock is held, and settles all that
   * it took. Rejects only if it took nothing.
   * @param take gives the batch; told the grant under which it is going to be booked
   * @param waitUntilMs monotonic time until which it stands in line for the lock; undefined: it only tries
   * @returns the grant of whoever holds the lock instead, if it only tried
   */
  decide(
    eventId: number,
    take: (grant: string) => readonly Pending[],
    waitUntilMs: number | undefined,
  ): Promise<string | undefined>;
  /** Asks the holder of that grant to book a batch. @returns those that it did not decide; never rejects */
  delegate(eventId: number, grant: string, batch: readonly Pending[]): Promise<readonly Pending[]>;
  /** Whether that error says that the lock was not obtained in time, and nothing worse. */
  isTimeout(error: unknown): boolean;
  maxBatch?: number;
  maxWaiting?: number;
}

export interface BatchQueues {
  /** Adds a request to its event's queue. It is settled by its deadline and the bounds of `decide`. */
  enqueue(pending: Pending): void;
  /** Whether we hold that grant, as far as we know. */
  holds(eventId: number, grant: string): boolean;
  /** Requests that wait now, over all events. */
  readonly waiting: number;
}

interface Queue {
  readonly eventId: number;
  readonly waiting: Pending[];
  /** A batch is being decided here, or the lock for it is waited for. */
  isDeciding: boolean;
  /** Batches that another replica has from us. */
  delegated: number;
  /** The next batch is decided here, however long it takes to get the lock. */
  standsInLine: boolean;
}

export function createBatchQueues(options: BatchQueueOptions): BatchQueues {
  const { clientId, decide, delegate, isTimeout, maxBatch = MAX_BATCH, maxWaiting = MAX_WAITING } = options;
  const queues = new Map<number, Queue>();
  /** The last grant of an event's lock that we know of, ours or another's. */
  const grants = new Map<number, { grant: string; heardMs: number }>();
  const due = new Set<Queue>();
  let waiting = 0;

  function queueOf(eventId: number): Queue {
    let queue = queues.get(eventId);
    if (queue === undefined) {
      queue = { eventId, waiting: [], isDeciding: false, delegated: 0, standsInLine: false };
      queues.set(eventId, queue);
    }
    return queue;
  }

  function remember(eventId: number, grant: string): void {
    grants.delete(eventId);
    grants.set(eventId, { grant, heardMs: performance.now() });
    for (const oldest of grants.keys()) {
      if (grants.size <= MAX_GRANTS) break;
      grants.delete(oldest);
    }
  }

  /** The grant of another replica that holds the lock, as far as we know. */
  function holderOf(eventId: number): string | undefined {
    const known = grants.get(eventId);
    if (known === undefined || clientOf(known.grant) === clientId) return undefined;
    return performance.now() - known.heardMs < TRUSTED_MS ? known.grant : undefined;
  }

  /** Requests that arrive in the same turn of the event loop belong to the same batch. */
  function schedule(queue: Queue): void {
    if (due.size === 0) setImmediate(goOnWithDue);
    due.add(queue);
  }

  function goOnWithDue(): void {
    const now = [...due];
    due.clear();
    for (const queue of now) goOn(queue);
  }

  function goOn(queue: Queue): void {
    if (queue.isDeciding) return;
    if (queue.waiting.length === 0) {
      // (It may have ended before, and another one have begun.)
      if (queue.delegated === 0 && queues.get(queue.eventId) === queue) queues.delete(queue.eventId);
      return;
    }
    const holder = queue.standsInLine ? undefined : holderOf(queue.eventId);
    if (holder === undefined) void decideHere(queue);
    else if (queue.delegated < MAX_DELEGATED) void decideThere(queue, holder);
  }

  async function decideHere(queue: Queue): Promise<void> {
    const { eventId } = queue;
    queue.isDeciding = true;
    const takeUnder = (grant: string) => {
      queue.standsInLine = false;
      remember(eventId, grant);
      return take(queue, grant);
    };
    // Those who came back from another replica stand before those who came after them.
    const waitUntilMs = queue.standsInLine ? queue.waiting[0]?.deadlineMs : undefined;
    try {
      const grant = await decide(eventId, takeUnder, waitUntilMs);
      if (grant !== undefined) heldByAnother(queue, grant);
    } catch (error) {
      grants.delete(eventId);
      queue.standsInLine = true;
      // In vain for the oldest of them says nothing about those who came later; a broken server is everybody's.
      if (isTimeout(error)) dropExpired(queue);
      else for (const pending of takeAll(queue)) failWith(pending, error);
    } finally {
      queue.isDeciding = false;
    }
    goOn(queue);
  }

  function heldByAnother(queue: Queue, grant: string): void {
    if (grant === '' || clientOf(grant) === clientId) queue.standsInLine = true;
    else remember(queue.eventId, grant);
    declineOthers(queue);
  }

  async function decideThere(queue: Queue, grant: string): Promise<void> {
    const batch = take(queue, undefined);
    if (batch.length > 0) {
      queue.delegated += 1;
      const undecided = await delegate(queue.eventId, grant, batch);
      queue.delegated -= 1;
      if (undecided.length === 0) {
        remember(queue.eventId, grant);
      } else {
        queue.standsInLine = true;
        queue.waiting.unshift(...undecided);
        waiting += undecided.length;
      }
    }
    schedule(queue);
  }

  /**
   * Takes up to a batch, oldest first, and drops on the way what nobody waits for any more.
   * @param grant what it is booked under; undefined: it is going to be delegated
   */
  function take(queue: Queue, grant: string | undefined): Pending[] {
    const now = performance.now();
    const batch: Pending[] = [];
    let seen = 0;
    for (const pending of queue.waiting) {
      if (batch.length === maxBatch) break;
      seen += 1;
      if (isExpired(pending, now)) giveUp(pending, EXPIRED);
      else if (pending.grant !== undefined && pending.grant !== grant) pending.settle({ code: 'declined' });
      else batch.push(pending);
    }
    queue.waiting.splice(0, seen);
    waiting -= seen;
    return batch;
  }

  function takeAll(queue: Queue): Pending[] {
    waiting -= queue.waiting.length;
    return queue.waiting.splice(0);
  }

  function dropExpired(queue: Queue): void {
    const now = performance.now();
    keepOnly(queue, (pending) => {
      if (isExpired(pending, now)) giveUp(pending, EXPIRED);
      return !isExpired(pending, now);
    });
  }

  /** We do not hold the lock that other replicas took us to hold. */
  function declineOthers(queue: Queue): void {
    keepOnly(queue, (pending) => {
      if (pending.grant !== undefined) pending.settle({ code: 'declined' });
      return pending.grant === undefined;
    });
  }

  function keepOnly(queue: Queue, keeps: (pending: Pending) => boolean): void {
    const kept = takeAll(queue).filter(keeps);
    queue.waiting.push(...kept);
    waiting += kept.length;
  }

  return {
    enqueue(pending) {
      if (waiting >= maxWaiting) {
        giveUp(pending, EXPIRED);
        return;
      }
      const queue = queueOf(pending.request.eventId);
      queue.waiting.push(pending);
      waiting += 1;
      schedule(queue);
    },
    holds: (eventId, grant) => grants.get(eventId)?.grant === grant && clientOf(grant) === clientId,
    get waiting() {
      return waiting;
    },
  };
}

function isExpired({ request, deadlineMs }: Pending, now: number): boolean {
  return deadlineMs <= now || request.signal.aborted;
}
