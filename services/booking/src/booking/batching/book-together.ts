import type { Lease } from '@lastseat/locking';

import { takeStockAndInsertAll, takeStockAndInsertEach, type Batch } from '#src/storage/batches.ts';
import { CommitUnknownError, PostgresUnavailableError } from '#src/storage/failure.ts';
import type { Db } from '#src/storage/schema.ts';
import { autocommit } from '#src/storage/transaction.ts';

/**
 * Books batches of different events in one statement, and so with one commit: a commit costs the same for one event as
 * for thirty. What a hot event has in its own crowd, the many events of a replica have in one another.
 *
 * While as many statements are under way as there may be, what comes gathers for the next one. No event waits for
 * another one's row: a statement for several passes over those that somebody else has locked, and says so.
 */

/** One is being committed while the next ones are under way. Half of the pool: the rest is for all else. */
const MAX_UNDER_WAY = 4;

/** Events in one statement. More share the commit hardly better, and make it longer for each. */
const MAX_EVENTS = 64;

interface Waiting {
  readonly lease: Lease;
  readonly batch: Batch;
  readonly resolve: (isBooked: boolean) => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Books a batch, whole, or does nothing at all: see `takeStockAndInsertAll`. Also false if its event's row was locked.
 * @throws LockLostError before anything was sent; CommitUnknownError: it may be booked
 */
export type BookTogether = (lease: Lease, batch: Batch) => Promise<boolean>;

export function createBookTogether(db: Db): BookTogether {
  const waiting: Waiting[] = [];
  let underWay = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || waiting.length === 0 || underWay >= MAX_UNDER_WAY) return;
    isScheduled = true;
    // After all promises of this tick: what begins together goes together.
    process.nextTick(() => {
      isScheduled = false;
      void send(takeDistinct().filter(isHeld));
      schedule();
    });
  }

  /** A statement can change a row once: of two batches for one event the later one waits. */
  function takeDistinct(): Waiting[] {
    const taken = new Map<number, Waiting>();
    const left: Waiting[] = [];
    for (const each of waiting.splice(0)) {
      const { eventId } = each.batch;
      if (taken.size < MAX_EVENTS && !taken.has(eventId)) taken.set(eventId, each);
      else left.push(each);
    }
    waiting.push(...left);
    return [...taken.values()];
  }

  async function send(together: readonly Waiting[]): Promise<void> {
    underWay += 1;
    if (together.length > 1) await bookSeveral(together);
    else for (const one of together) await bookOne(one);
    underWay -= 1;
    schedule();
  }

  async function bookSeveral(together: readonly Waiting[]): Promise<void> {
    try {
      const batches = together.map(({ batch }) => batch);
      const booked = await autocommit(db, (db) => takeStockAndInsertEach(db, batches));
      for (const { batch, resolve } of together) resolve(booked.has(batch.eventId));
    } catch (error) {
      if (error instanceof CommitUnknownError || error instanceof PostgresUnavailableError) {
        for (const { reject } of together) reject(error);
      } else {
        // Postgres has refused one of them, and with it all. Alone, each gets what it deserves.
        await Promise.all(together.filter(isHeld).map(bookOne));
      }
    }
  }

  async function bookOne({ batch, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await autocommit(db, (db) => takeStockAndInsertAll(db, batch)));
    } catch (error) {
      reject(error);
    }
  }

  return (lease, batch) =>
    new Promise((resolve, reject) => {
      waiting.push({ lease, batch, resolve, reject });
      schedule();
    });
}

/** The last look before it is sent. */
function isHeld({ lease, reject }: Waiting): boolean {
  try {
    lease.assertHeld();
    return true;
  } catch (error) {
    reject(error);
    return false;
  }
}
