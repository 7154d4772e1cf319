import { IDLE_IN_TRANSACTION_MS, ROW_LOCK_TIMEOUT_MS } from '../../services/booking/src/time-limits.ts';
import type { Process, Scheduler } from '../world/scheduler.ts';

/**
 * Postgres as far as bookings need it: transactions, locks of rows and advisory locks with a queue and a time-out, unique
 * keys, a commit that takes its time and happens at one moment, sessions that end with their connection, and a crash that
 * loses what is not committed. What the statements do is in statements.ts.
 *
 * READ COMMITTED sees what is committed when a statement begins, and of a row that it has locked the latest version. The
 * other isolation levels see what was committed at their first statement, and are refused a row that has changed since.
 * SERIALIZABLE may be refused for no reason that can be seen here: Postgres watches reads too, and rather too much.
 */
export interface Postgres {
  readonly process: Process;
  readonly rows: Rows;
  /** Whether it takes connections. */
  readonly isUp: boolean;
  newSession(onEnd: (error: ServerError) => void, settings?: SessionSettings): Session;
  /** Loses all sessions and what they had not committed. */
  crash(downMs: number): void;
  crashed(listener: () => void): void;
}

export interface Rows {
  /** As they are committed. */
  readonly stocks: Map<number, StockRow>;
  readonly bookings: Map<string, BookingRow>;
}

/** What a session may change at any time; what has begun by then goes on as it was. */
export interface SessionSettings {
  lockTimeoutMs: number;
  deadlockTimeoutMs: number;
  idleInTransactionMs: number;
  /** Whether a SERIALIZABLE transaction is refused here: before a step of a statement, or at its commit. */
  isRefused: (at: 'step' | 'commit') => boolean;
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

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
  readonly idempotency_key: string | null;
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
  /** What it sees: its own changes, and what is committed at this moment, or was when it began to look. */
  stock(eventId: number): StockRow | undefined;
  booking(id: string): BookingRow | undefined;
  bookings(): Iterable<BookingRow>;
  /**
   * The same of a row that it has locked: its latest version.
   * @throws ServerError its isolation level lets nobody see that it was changed
   */
  lockedStock(eventId: number): StockRow | undefined;
  lockedBooking(id: string): BookingRow | undefined;
  /** @throws ServerError it breaks a constraint */
  change(stock: StockRow): void;
  /**
   * Waits for whoever has written a row with one of its keys and not yet committed it.
   * @throws ServerError one of its keys is taken
   */
  insert(booking: BookingRow): Generator<string, void, void>;
  /** Of a booking that it has locked. Whoever inserts another one with its keys waits too. */
  cancel(booking: BookingRow): Generator<string, void, void>;
  /** Somebody else has it. */
  isLocked(lock: string): boolean;
  /** How long it may pause between two statements. */
  allowIdle(ms: number): void;
}

/**
 * A step of a statement that has to wait: for a lock. It goes on when the lock is its transaction's.
 * @returns its rows, or how many rows it has changed, if it returns none
 */
export type Steps = Generator<string, unknown[] | number, void>;

export type Statement = (trx: Transaction) => Steps;

export interface Answer {
  rows: unknown[];
  rowCount: number | null;
}

export interface Session {
  begin(isolation?: Isolation): void;
  /** One after another, as a client sends them. */
  run(statement: Statement, reply: (answer: Answer, error?: ServerError) => void): void;
  /** @param reply told how it ended: a transaction that has failed is rolled back */
  end(how: 'commit' | 'rollback', reply: (ended: 'commit' | 'rollback', error?: ServerError) => void): void;
  /** The client has gone: what runs goes on to its end, and what is open is rolled back. */
  clientGone(): void;
}

/** What the lock of an event's counter is called. */
export function rowLock(eventId: number): string {
  return `inventory ${eventId}`;
}

/** That of a booking, and of its primary key. */
export function bookingLock(id: string): string {
  return `booking ${id}`;
}

/** Those of the other keys of a booking. */
function keyLocks({ request_id, event_id, customer, idempotency_key }: BookingRow): string[] {
  const ofRequest = `request ${request_id}`;
  return idempotency_key === null
    ? [ofRequest]
    : [ofRequest, `key ${JSON.stringify([event_id, customer, idempotency_key])}`];
}

interface Trx extends Transaction {
  readonly name: string;
  readonly isolation: Isolation;
  readonly locks: Set<string>;
  /** The lock that it waits for. */
  waitsFor: string | null;
  isFailed: boolean;
  idleMs: number | null;
  /** Before each statement: from then on it sees what is committed by now, if it does not see that already. */
  look(): void;
  commit(): void;
}

interface Lock {
  holder: Trx;
  readonly waiting: { trx: Trx; granted: () => void }[];
}

/** Of Postgres, where nobody has set it. */
const DEADLOCK_TIMEOUT_MS = 1_000;
/** One in so many commits waits long for the disk. */
const SLOW_COMMIT_ONE_IN = 40;
/** One in so many SERIALIZABLE transactions is refused for what others have read. */
const REFUSED_ONE_IN = 40;

const SERIALIZATION_FAILURE = '40001';

export function createPostgres(scheduler: Scheduler, stocks: readonly StockRow[]): Postgres {
  const process = scheduler.newProcess('postgres');
  const rows = {
    stocks: new Map(stocks.map((stock) => [stock.event_id, stock])),
    bookings: new Map<string, BookingRow>(),
  };
  /** Of the rows and keys in `rows`: with which commit they changed last. */
  const changed = new Map<string, number>();
  let commits = 0;
  const locks = new Map<string, Lock>();
  const sessions = new Set<{ kill: (error: ServerError) => void }>();
  const crashes = new Set<() => void>();
  let isUp = true;
  let transactions = 0;

  function newTransaction(isolation: Isolation = 'read committed'): Trx {
    const stocks = new Map<number, StockRow>();
    const bookings = new Map<string, BookingRow>();
    const name = `trx ${(transactions += 1)}`;
    let seen: Rows = rows;
    let seenAt = Infinity;
    const notChanged = (lock: string) => {
      if ((changed.get(lock) ?? 0) <= seenAt) return;
      throw new ServerError(SERIALIZATION_FAILURE, 'could not serialize access due to concurrent update');
    };
    const trx: Trx = {
      name,
      isolation,
      locks: new Set(),
      waitsFor: null,
      isFailed: false,
      idleMs: null,
      look() {
        if (isolation === 'read committed' || seenAt !== Infinity) return;
        seen = { stocks: new Map(rows.stocks), bookings: new Map(rows.bookings) };
        seenAt = commits;
      },
      stock: (eventId) => stocks.get(eventId) ?? seen.stocks.get(eventId),
      booking: (id) => bookings.get(id) ?? seen.bookings.get(id),
      *bookings() {
        for (const row of seen.bookings.values()) if (!bookings.has(row.id)) yield row;
        yield* bookings.values();
      },
      lockedStock(eventId) {
        notChanged(rowLock(eventId));
        return trx.stock(eventId);
      },
      lockedBooking(id) {
        notChanged(bookingLock(id));
        return trx.booking(id);
      },
      change(stock) {
        if (stock.available < 0 || stock.available > stock.capacity) {
          throw new ServerError('23514', 'new row for relation "inventory" violates check constraint');
        }
        stocks.set(stock.event_id, stock);
      },
      *insert(row) {
        for (const key of [bookingLock(row.id), ...keyLocks(row)]) {
          yield key;
          if (changed.has(key) || inserted.has(key)) {
            throw new ServerError('23505', 'duplicate key value violates unique constraint');
          }
          inserted.add(key);
        }
        bookings.set(row.id, row);
      },
      *cancel(row) {
        for (const key of keyLocks(row)) yield key;
        bookings.set(row.id, { ...row, state: 'cancelled' });
      },
      isLocked(lock) {
        const held = locks.get(lock);
        return held !== undefined && held.holder.name !== name;
      },
      allowIdle: (ms) => void (trx.idleMs = ms),
      commit() {
        commits += 1;
        for (const [eventId, stock] of stocks) {
          rows.stocks.set(eventId, stock);
          changed.set(rowLock(eventId), commits);
          scheduler.tell(
            () =>
              `postgres commits ${name}: event ${eventId} has ${stock.available} left, fence ${stock.fence}`,
          );
        }
        for (const [id, row] of bookings) {
          rows.bookings.set(id, row);
          for (const key of [bookingLock(id), ...keyLocks(row)]) changed.set(key, commits);
          const { quantity, fencing_token, instance_id } = row;
          scheduler.tell(
            () =>
              `postgres commits ${name}: ${row.state === 'cancelled' ? 'cancels' : 'books'} ${id}, ${quantity} by ${instance_id}` +
              (fencing_token === null ? '' : ` under token ${fencing_token}`),
          );
        }
      },
    };
    /** Keys of rows that it has inserted itself. */
    const inserted = new Set<string>();
    return trx;
  }

  function lock(
    trx: Trx,
    name: string,
    { lockTimeoutMs, deadlockTimeoutMs }: SessionSettings,
    granted: () => void,
    failed: (error: ServerError) => void,
  ): void {
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
        end();
        trx.locks.add(name);
        scheduler.in(0.02, process, granted);
      },
    };
    const end = () => {
      scheduler.cancel(timeout);
      scheduler.cancel(deadlock);
      trx.waitsFor = null;
    };
    const fail = (code: string, message: string) => {
      lock.waiting.splice(lock.waiting.indexOf(wait), 1);
      end();
      failed(new ServerError(code, message));
    };
    const timeout = scheduler.in(lockTimeoutMs, process, () =>
      fail('55P03', 'canceling statement due to lock timeout'),
    );
    const deadlock = scheduler.in(deadlockTimeoutMs, process, () => {
      if (waitsForItself(trx)) fail('40P01', 'deadlock detected');
    });
    lock.waiting.push(wait);
    trx.waitsFor = name;
  }

  /** The holder of what it waits for waits itself, and so on, until it comes back to it. */
  function waitsForItself(trx: Trx): boolean {
    const before = (waiting: Trx): Trx[] => {
      const lock = locks.get(waiting.waitsFor ?? '');
      if (lock === undefined) return [];
      const ahead = lock.waiting.slice(
        0,
        lock.waiting.findIndex((wait) => wait.trx === waiting),
      );
      return [lock.holder, ...ahead.map((wait) => wait.trx)];
    };
    const open = before(trx);
    const seen = new Set<Trx>();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === trx) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...before(next));
    }
    return false;
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

  const usual: SessionSettings = {
    lockTimeoutMs: ROW_LOCK_TIMEOUT_MS,
    deadlockTimeoutMs: DEADLOCK_TIMEOUT_MS,
    idleInTransactionMs: IDLE_IN_TRANSACTION_MS,
    isRefused: (at) => at === 'commit' && scheduler.chance(1 / REFUSED_ONE_IN),
  };

  function newSession(onEnd: (error: ServerError) => void, settings: SessionSettings = usual): Session {
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
        idle = scheduler.in(trx.idleMs ?? settings.idleInTransactionMs, process, () => {
          quit();
          onEnd(new ServerError('25P03', 'terminating connection due to idle-in-transaction timeout'));
        });
      }
    }

    function commit(committed: Trx, then: (error?: ServerError) => void): void {
      const lives = life;
      scheduler.in(commitDelayMs(), process, () => {
        if (lives !== life) return;
        const error = refusal(committed, 'commit');
        if (error === undefined) committed.commit();
        unlock(committed);
        then(error);
      });
    }

    function refusal({ isolation }: Trx, at: 'step' | 'commit'): ServerError | undefined {
      if (isolation !== 'serializable' || !settings.isRefused(at)) return undefined;
      const why = 'could not serialize access due to read/write dependencies among transactions';
      return new ServerError(SERIALIZATION_FAILURE, why);
    }

    return {
      begin: (isolation) =>
        begun(() => {
          trx ??= newTransaction(isolation);
          done();
        }),
      run(statement, reply) {
        begun(() => {
          const lives = life;
          const isOfTransaction = trx !== undefined;
          const own = trx ?? newTransaction();
          const fail = (error: ServerError): void => {
            own.isFailed = true;
            // What follows will be refused; nobody has to wait for that.
            unlock(own);
            reply({ rows: [], rowCount: null }, error);
            done();
          };
          if (own.isFailed) {
            fail(new ServerError('25P02', 'current transaction is aborted'));
            return;
          }
          let steps: Steps | undefined;
          const goOn = (): void => {
            if (lives !== life) return;
            try {
              const refused = refusal(own, 'step');
              if (refused !== undefined) throw refused;
              own.look();
              steps ??= statement(own);
              const step = steps.next();
              if (!step.done) {
                lock(own, step.value, settings, goOn, (error) => {
                  if (lives === life) fail(error);
                });
                return;
              }
              const { value } = step;
              const answer =
                typeof value === 'number'
                  ? { rows: [], rowCount: value }
                  : { rows: value, rowCount: value.length };
              if (isOfTransaction) {
                reply(answer);
                done();
              } else {
                commit(own, (error) => {
                  reply(answer, error);
                  done();
                });
              }
            } catch (error) {
              if (!(error instanceof ServerError)) throw error;
              fail(error);
            }
          };
          scheduler.in(0.02 + scheduler.random() * 0.2, process, goOn);
        });
      },
      end(how, reply) {
        begun(() => {
          const ended = trx;
          trx = undefined;
          if (ended === undefined || how === 'rollback' || ended.isFailed) {
            if (ended !== undefined) unlock(ended);
            reply('rollback');
            done();
            return;
          }
          commit(ended, (error) => {
            reply('commit', error);
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
