import type { Process, Scheduler } from '../world/scheduler.ts';

/**
 * Postgres as far as bookings need it: READ COMMITTED transactions, locks of rows and advisory locks with a queue and a
 * time-out, a commit that takes its time and happens at one moment, sessions that end with their connection, and a crash
 * that loses what is not committed. What the statements do is in statements.ts.
 */
export interface Postgres {
  readonly process: Process;
  readonly rows: Rows;
  /** Whether it takes connections. */
  readonly isUp: boolean;
  newSession(onEnd: (error: ServerError) => void): Session;
  /** Loses all sessions and what they had not committed. */
  crash(downMs: number): void;
  crashed(listener: () => void): void;
}

export interface Rows {
  /** As they are committed. */
  readonly stocks: Map<number, StockRow>;
  readonly bookings: Map<string, BookingRow>;
}

export interface StockRow {
  readonly event_id: number;
  readonly capacity: number;
  readonly available: number;
  readonly version: number;
  readonly fence: number;
  readonly epoch: number;
  readonly changes: number;
}

export interface BookingRow {
  readonly id: string;
  readonly request_id: string;
  readonly event_id: number;
  readonly quantity: number;
  readonly customer: string;
  readonly strategy: string;
  readonly instance_id: string;
  readonly fencing_token: number | null;
  readonly stock_revision: number;
  readonly state: 'confirmed' | 'cancelled';
}

/** An answer of the server that is no result. */
export class ServerError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Transaction {
  /** What it sees: its own changes, and what is committed at this moment. */
  stock(eventId: number): StockRow | undefined;
  booking(id: string): BookingRow | undefined;
  bookings(): Iterable<BookingRow>;
  change(stock: StockRow): void;
  /** @throws ServerError its id or that of its request is taken */
  insert(booking: BookingRow): void;
  cancel(id: string): void;
  /** Somebody else has it. */
  isLocked(lock: string): boolean;
}

/** A step of a statement that has to wait: for a lock. It goes on when the lock is its transaction's. */
export type Steps = Generator<string, unknown[], void>;

export type Statement = (trx: Transaction) => Steps;

export interface Session {
  begin(): void;
  /** One after another, as a client sends them. */
  run(statement: Statement, reply: (rows: unknown[], error?: ServerError) => void): void;
  end(how: 'commit' | 'rollback', reply: (error?: ServerError) => void): void;
  /** The client has gone: what runs goes on to its end, and what is open is rolled back. */
  clientGone(): void;
}

/** What the lock of an event's counter is called. */
export function rowLock(eventId: number): string {
  return `inventory ${eventId}`;
}

interface Trx extends Transaction {
  readonly name: string;
  readonly locks: Set<string>;
  isFailed: boolean;
  commit(): void;
}

interface Lock {
  holder: Trx;
  readonly waiting: { trx: Trx; granted: () => void }[];
}

const LOCK_TIMEOUT_MS = 2_000;
const IDLE_IN_TRANSACTION_MS = 1_500;
/** One in so many commits waits long for the disk. */
const SLOW_COMMIT_ONE_IN = 40;

export function createPostgres(scheduler: Scheduler, stocks: readonly StockRow[]): Postgres {
  const process = scheduler.newProcess('postgres');
  const rows = {
    stocks: new Map(stocks.map((stock) => [stock.event_id, stock])),
    bookings: new Map<string, BookingRow>(),
  };
  const requestIds = new Set<string>();
  const locks = new Map<string, Lock>();
  const sessions = new Set<{ kill: (error: ServerError) => void }>();
  const crashes = new Set<() => void>();
  let isUp = true;
  let transactions = 0;

  function newTransaction(): Trx {
    const stocks = new Map<number, StockRow>();
    const bookings = new Map<string, BookingRow>();
    const name = `trx ${(transactions += 1)}`;
    const booking = (id: string) => bookings.get(id) ?? rows.bookings.get(id);
    return {
      name,
      locks: new Set(),
      isFailed: false,
      stock: (eventId) => stocks.get(eventId) ?? rows.stocks.get(eventId),
      booking,
      *bookings() {
        for (const { id } of rows.bookings.values()) if (!bookings.has(id)) yield booking(id) as BookingRow;
        yield* bookings.values();
      },
      change: (stock) => void stocks.set(stock.event_id, stock),
      insert(row) {
        const isTaken = [...bookings.values()].some(({ request_id }) => request_id === row.request_id);
        if (booking(row.id) !== undefined || requestIds.has(row.request_id) || isTaken) {
          throw new ServerError('23505', 'duplicate key value violates unique constraint');
        }
        bookings.set(row.id, row);
      },
      cancel(id) {
        const row = booking(id);
        if (row !== undefined) bookings.set(id, { ...row, state: 'cancelled' });
      },
      isLocked(lock) {
        const held = locks.get(lock);
        return held !== undefined && held.holder.name !== name;
      },
      commit() {
        for (const [eventId, stock] of stocks) {
          rows.stocks.set(eventId, stock);
          scheduler.tell(
            () =>
              `postgres commits ${name}: event ${eventId} has ${stock.available} left, fence ${stock.fence}`,
          );
        }
        for (const [id, row] of bookings) {
          rows.bookings.set(id, row);
          requestIds.add(row.request_id);
          const { quantity, fencing_token, instance_id } = row;
          scheduler.tell(
            () =>
              `postgres commits ${name}: ${row.state === 'cancelled' ? 'cancels' : 'books'} ${id}, ${quantity} by ${instance_id}` +
              (fencing_token === null ? '' : ` under token ${fencing_token}`),
          );
        }
      },
    };
  }

  function lock(trx: Trx, name: string, granted: () => void, timedOut: () => void): void {
    const lock = locks.get(name);
    if (lock === undefined || lock.holder === trx) {
      if (lock === undefined) locks.set(name, { holder: trx, waiting: [] });
      trx.locks.add(name);
      granted();
      return;
    }
    const wait = {
      trx,
      granted() {
        // At once: what is given and has not been heard of yet must not run out of time.
        scheduler.cancel(timeout);
        trx.locks.add(name);
        scheduler.in(0.02, process, granted);
      },
    };
    const timeout = scheduler.in(LOCK_TIMEOUT_MS, process, () => {
      const at = lock.waiting.indexOf(wait);
      if (at !== -1) lock.waiting.splice(at, 1);
      timedOut();
    });
    lock.waiting.push(wait);
  }

  function unlock(trx: Trx): void {
    for (const name of trx.locks) {
      const lock = locks.get(name);
      const next = lock?.waiting.shift();
      if (lock === undefined || next === undefined) locks.delete(name);
      else {
        lock.holder = next.trx;
        next.granted();
      }
    }
    trx.locks.clear();
  }

  function commitDelayMs(): number {
    return scheduler.chance(1 / SLOW_COMMIT_ONE_IN) ? scheduler.random() * 300 : 0.2 + scheduler.random();
  }

  function newSession(onEnd: (error: ServerError) => void): Session {
    let trx: Trx | undefined;
    let isOver = false;
    let isRunning = false;
    let isAlone = false;
    const queued: (() => void)[] = [];
    let idle: ReturnType<Scheduler['in']> | undefined;
    /** Of a crash nobody is left to go on. */
    let life = 0;

    const self = {
      kill(error: ServerError) {
        life += 1;
        isOver = true;
        // Its locks have gone with the server; an end that comes later must not take those of another.
        trx = undefined;
        if (idle !== undefined) scheduler.cancel(idle);
        sessions.delete(self);
        onEnd(error);
      },
    };
    sessions.add(self);

    function quit(): void {
      if (trx !== undefined) unlock(trx);
      trx = undefined;
      isOver = true;
      sessions.delete(self);
      if (idle !== undefined) scheduler.cancel(idle);
    }

    function begun(work: () => void): void {
      if (isOver) return;
      if (isRunning) {
        queued.push(work);
        return;
      }
      isRunning = true;
      if (idle !== undefined) scheduler.cancel(idle);
      work();
    }

    function done(): void {
      isRunning = false;
      if (isAlone) {
        quit();
        return;
      }
      const next = queued.shift();
      if (next !== undefined) begun(next);
      else if (trx !== undefined) {
        idle = scheduler.in(IDLE_IN_TRANSACTION_MS, process, () => {
          quit();
          onEnd(new ServerError('25P03', 'terminating connection due to idle-in-transaction timeout'));
        });
      }
    }

    function commit(committed: Trx, then: () => void): void {
      const lives = life;
      scheduler.in(commitDelayMs(), process, () => {
        if (lives !== life) return;
        committed.commit();
        unlock(committed);
        then();
      });
    }

    return {
      begin: () =>
        begun(() => {
          trx ??= newTransaction();
          done();
        }),
      run(statement, reply) {
        begun(() => {
          const lives = life;
          const isOfTransaction = trx !== undefined;
          const own = trx ?? newTransaction();
          const fail = (error: ServerError): void => {
            own.isFailed = true;
            if (!isOfTransaction) unlock(own);
            reply([], error);
            done();
          };
          if (own.isFailed) {
            fail(new ServerError('25P02', 'current transaction is aborted'));
            return;
          }
          let steps: Steps;
          const goOn = (): void => {
            if (lives !== life) return;
            try {
              const step = steps.next();
              if (!step.done) {
                lock(own, step.value, goOn, () => {
                  if (lives === life)
                    fail(new ServerError('55P03', 'canceling statement due to lock timeout'));
                });
              } else if (isOfTransaction) {
                reply(step.value);
                done();
              } else {
                commit(own, () => {
                  reply(step.value);
                  done();
                });
              }
            } catch (error) {
              if (!(error instanceof ServerError)) throw error;
              fail(error);
            }
          };
          steps = statement(own);
          scheduler.in(0.02 + scheduler.random() * 0.2, process, goOn);
        });
      },
      end(how, reply) {
        begun(() => {
          const ended = trx;
          trx = undefined;
          if (ended === undefined || how === 'rollback' || ended.isFailed) {
            if (ended !== undefined) unlock(ended);
            reply();
            done();
            return;
          }
          commit(ended, () => {
            reply();
            done();
          });
        });
      },
      clientGone() {
        isAlone = true;
        queued.length = 0;
        if (!isRunning && !isOver) quit();
      },
    };
  }

  return {
    process,
    rows,
    get isUp() {
      return isUp;
    },
    newSession,
    crash(downMs) {
      scheduler.tell(() => 'postgres crashes');
      isUp = false;
      const error = new ServerError('57P01', 'terminating connection due to administrator command');
      for (const session of sessions) session.kill(error);
      locks.clear();
      for (const crashed of crashes) crashed();
      scheduler.in(downMs, process, () => {
        isUp = true;
        scheduler.tell(() => 'postgres is back');
      });
    },
    crashed: (listener) => void crashes.add(listener),
  };
}
