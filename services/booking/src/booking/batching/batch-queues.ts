/**
 * Gathers requests into batches: one queue an event, one batch an event at a time. While a batch is being decided,
 * the next one gathers behind it, so the batch grows with the crowd and a lone request waits for nobody.
 *
 * A queue knows nothing of locks or of SQL. It gives whoever decides (`decide`) a way to *take* what has gathered,
 * to be called once the lock is held and not before, so that nothing waits longer than it must.
 */

/** One statement inserts a batch; beyond a few hundred rows a larger one buys nothing and holds the row for longer. */
const MAX_BATCH = 512;

/** Requests of all events that may wait in one replica: about two seconds of its best rate, and a few MB. */
const MAX_WAITING = 10_000;

interface Waiting<Request, Outcome> {
  readonly request: Request;
  /** Monotonic time by which it must be on its way to the database; after it, it is refused as busy. */
  readonly deadlineMs: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (cause: unknown) => void;
}

export interface BatchQueueOptions<Request, Outcome> {
  /**
   * Takes a batch, once, when it is ready for it, and resolves to one outcome for each request taken, in order. If it
   * rejects, so does every request that it took, or all that could have been taken if it had not come to that.
   * @param oldestDeadlineMs monotonic time by which it should have taken it
   */
  decide(key: number, take: () => readonly Request[], oldestDeadlineMs: number): Promise<readonly Outcome[]>;
  /** The outcome of a request whose time ran out, or that found the queue full, or whose caller is gone. */
  busy: Outcome;
  /** How long a request may wait before it is taken, in milliseconds. */
  maxWaitMs: number;
  maxBatch?: number;
  maxWaiting?: number;
}

export interface BatchQueues<Request, Outcome> {
  /** Adds a request to its event's queue. Settles within `maxWaitMs` and the bounds of `decide`. */
  enqueue(key: number, request: Request): Promise<Outcome>;
  /** Requests that wait now, over all events. */
  readonly waiting: number;
}

export function createBatchQueues<Request extends { signal?: AbortSignal | undefined }, Outcome>(
  options: BatchQueueOptions<Request, Outcome>,
): BatchQueues<Request, Outcome> {
  const { decide, busy, maxWaitMs, maxBatch = MAX_BATCH, maxWaiting = MAX_WAITING } = options;
  const queues = new Map<number, Waiting<Request, Outcome>[]>();
  let waiting = 0;

  /** Takes up to a batch, oldest first, and drops on the way what nobody waits for any more. */
  function take(queue: Waiting<Request, Outcome>[], now: number): Waiting<Request, Outcome>[] {
    const batch: Waiting<Request, Outcome>[] = [];
    let seen = 0;
    for (const entry of queue) {
      if (batch.length === maxBatch) break;
      seen++;
      if (entry.deadlineMs <= now || entry.request.signal?.aborted) entry.resolve(busy);
      else batch.push(entry);
    }
    queue.splice(0, seen);
    waiting -= seen;
    return batch;
  }

  async function run(key: number, queue: Waiting<Request, Outcome>[]): Promise<void> {
    // Requests that arrived in the same turn of the event loop belong to the same batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let oldest = queue[0]; oldest !== undefined; oldest = queue[0]) {
      let batch: Waiting<Request, Outcome>[] = [];
      try {
        const takeBatch = () => {
          batch = take(queue, performance.now());
          return batch.map((entry) => entry.request);
        };
        const outcomes = await decide(key, takeBatch, oldest.deadlineMs);
        for (const [i, entry] of batch.entries()) {
          const outcome = outcomes[i];
          if (outcome === undefined)
            entry.reject(new Error('a batch was taken and this request left undecided'));
          else entry.resolve(outcome);
        }
      } catch (cause) {
        if (batch.length === 0) {
          batch = queue.splice(0, maxBatch);
          waiting -= batch.length;
        }
        for (const entry of batch) entry.reject(cause);
      }
    }
    queues.delete(key);
  }

  return {
    enqueue(key, request) {
      if (waiting >= maxWaiting) return Promise.resolve(busy);
      return new Promise<Outcome>((resolve, reject) => {
        waiting++;
        const entry = { request, deadlineMs: performance.now() + maxWaitMs, resolve, reject };
        const queue = queues.get(key);
        if (queue !== undefined) {
          queue.push(entry);
          return;
        }
        const started = [entry];
        queues.set(key, started);
        void run(key, started);
      });
    },
    get waiting() {
      return waiting;
    },
  };
}
