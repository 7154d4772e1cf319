import {
  takeStockAndInsertAll,
  isSoldAtOnce,
  takeStockAndInsertEach,
  totalOf,
  type Batch,
  type BatchResult,
} from '#src/storage/batches.ts';
import { CommitUnknownError, PostgresUnavailableError } from '#src/storage/failure.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { autocommit } from '#src/storage/transaction.ts';

import { inTraceOf, type Traceable } from '../request-trace.ts';
import type { RowWaits } from './row-waits.ts';

/**
 * Books batches of different events in one statement, and so with one commit: a commit costs the same for one event as
 * for thirty.
 *
 * While as many statements are under way as there may be, what comes gathers for the next one. No event waits for
 * another one's row: a statement for several passes over those that somebody else has locked, and a statement for one
 * waits for its row only if it gets leave to (see `createRowWaits`).
 */

/** Events in one statement. More share the commit hardly better, and make it longer for each. */
const MAX_EVENTS = 64;

/** Events that limit their customers, as far as is remembered. One that is forgotten costs one batch a longer way. */
const MAX_LIMITED = 10_000;

/** A batch that is made when it is sent, so that it holds all that have come until then. */
export interface Sendable {
  readonly eventId: number;
  /**
   * Called once. What it throws is the end of this batch alone.
   * @returns the batch, and the monotonic time by which it must be answered; undefined if there is nothing to send
   */
  make(): { batch: Batch; deadlineMs: number; requests?: readonly Traceable[] } | undefined;
}

/**
 * Books a batch, whole, or does nothing at all: see `takeStockAndInsertAll`. Also nothing if its row was locked.
 * @returns what became of it; undefined if there was nothing to send
 * @throws whatever `make` throws, before anything is sent; CommitUnknownError: it may be booked
 */
export type BookTogether = (sendable: Sendable) => Promise<BatchResult | undefined>;

interface Waiting {
  readonly sendable: Sendable;
  readonly resolve: (result: BatchResult | undefined) => void;
  readonly reject: (cause: unknown) => void;
}

interface Made extends Waiting {
  readonly batch: Batch;
  readonly deadlineMs: number;
  readonly requests?: readonly Traceable[];
}

/** @param maxPassing statements for several events under way at once; they never wait for a row */
export function createBookTogether(db: PooledDb, rowWaits: RowWaits, maxPassing: number): BookTogether {
  let waiting: Waiting[] = [];
  let passing = 0;
  const limited = new Set<number>();
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || waiting.length === 0) return;
    isScheduled = true;
    // After all promises of this tick: what begins together goes together.
    process.nextTick(() => {
      isScheduled = false;
      send();
    });
  }

  function send(): void {
    // A limited batch cannot be booked after it has waited for its row: see `takeStockAndInsertEach`.
    const isAlone = waiting.length === 1 && !waiting.some(({ sendable }) => limited.has(sendable.eventId));
    const leave = isAlone ? rowWaits.enter() : undefined;
    if (leave !== undefined) void bookOne(takeMade()[0], leave);
    while (waiting.length > 0 && passing < maxPassing) {
      const together = takeMade();
      if (together.length > 0) void bookSeveral(together);
    }
  }

  /** A statement can change a row once: of two batches for one event the later one waits. */
  function takeDistinct(): Waiting[] {
    const taken = new Map<number, Waiting>();
    const left: Waiting[] = [];
    for (const each of waiting) {
      const { eventId } = each.sendable;
      if (taken.size < MAX_EVENTS && !taken.has(eventId)) taken.set(eventId, each);
      else left.push(each);
    }
    waiting = left;
    return [...taken.values()];
  }

  function takeMade(): Made[] {
    return takeDistinct().flatMap((each) => {
      try {
        const made = each.sendable.make();
        if (made !== undefined) {
          const isLimited = limited.has(each.sendable.eventId);
          return [{ ...each, ...made, batch: { ...made.batch, isLimited } }];
        }
        each.resolve(undefined);
      } catch (error) {
        each.reject(error);
      }
      return [];
    });
  }

  async function bookSeveral(together: readonly Made[]): Promise<void> {
    passing += 1;
    try {
      const batches = together.map(({ batch }) => batch);
      const deadlineMs = Math.min(...together.map(({ deadlineMs }) => deadlineMs));
      const results = await inTraceOf(
        together.flatMap(({ requests = [] }) => requests),
        'batch',
        () => autocommit(db.until(deadlineMs), (db) => takeStockAndInsertEach(db, batches)),
      );
      for (const [i, each] of together.entries()) {
        const result = results[i] as BatchResult;
        learnFrom(result, each.batch);
        const leave = mayHaveBeenPassedOver(result, each.batch) ? rowWaits.enter() : undefined;
        if (leave === undefined) each.resolve(result);
        else void bookOne(each, leave);
      }
    } catch (error) {
      const isAlone = together.length === 1;
      if (isAlone || error instanceof CommitUnknownError || error instanceof PostgresUnavailableError) {
        for (const { reject } of together) reject(error);
      } else {
        // Postgres has refused one of them, and with it all. Alone, each gets what it deserves.
        for (const each of together) void bookSeveral([each]);
      }
    } finally {
      passing -= 1;
      schedule();
    }
  }

  async function bookOne(one: Made | undefined, leave: Disposable): Promise<void> {
    using _ = leave;
    if (one === undefined) return;
    try {
      const { batch, deadlineMs, requests = [] } = one;
      const bookAll = () => autocommit(db.until(deadlineMs), (db) => takeStockAndInsertAll(db, batch));
      const result = await inTraceOf(requests, 'batch', bookAll);
      learnFrom(result, batch);
      one.resolve(result);
    } catch (error) {
      one.reject(error);
    }
  }

  /** What is remembered decides only which way a batch takes: each statement looks for itself. */
  function learnFrom({ isBooked, terms }: BatchResult, { eventId, isLimited = false }: Batch): void {
    if (isBooked && !isLimited) return;
    if (typeof terms?.maxPerCustomer !== 'number') {
      limited.delete(eventId);
      return;
    }
    if (limited.size >= MAX_LIMITED) limited.clear();
    limited.add(eventId);
  }

  return (sendable) =>
    new Promise((resolve, reject) => {
      waiting.push({ sendable, resolve, reject });
      schedule();
    });
}

/** It would have fit, and yet it is not booked: its row was locked, or has changed since, if its terms let it be. */
function mayHaveBeenPassedOver(result: BatchResult, batch: Batch): boolean {
  if (result.isBooked || (result.available ?? 0) < totalOf(batch)) return false;
  return result.terms === undefined || isSoldAtOnce(result.terms, batch);
}
