import { setImmediate as turn } from 'node:timers/promises';

import { startFaultProxy } from '@lastseat/infra/servers';
import type { ControlledTransaction } from 'kysely';
import { Client } from 'pg';

import { randomNumbers } from '../../../lab-frame/random.ts';
import {
  openConnections,
  type Connection,
  type Connections,
} from '../../../services/booking/src/storage/connections.ts';
import { readStock } from '../../../services/booking/src/storage/inventory.ts';
import { limitWaits } from '../../../services/booking/src/storage/pool.ts';
import type { Database, Trx } from '../../../services/booking/src/storage/schema.ts';
import { allowIdle } from '../../../services/booking/src/storage/transaction.ts';
import { IDLE_IN_TRANSACTION_MS } from '../../../services/booking/src/time-limits.ts';
import { connectPostgres } from '../../models/connections.ts';
import {
  createPostgres,
  type Isolation,
  type SessionSettings,
  type StockRow,
} from '../../models/postgres.ts';
import { createNetwork } from '../../world/network.ts';
import { createScheduler } from '../../world/scheduler.ts';

/**
 * Some sessions of a Postgres: of a real one, or of the model. On both the service's own functions run, over its own
 * connections, and what the server answers is written down. No wait ends by itself, unless a step says so.
 */
export interface Sessions {
  readonly all: readonly Session[];
  /** Until every statement that was sent is answered or waits for a lock, also of those whose client has gone. */
  untilStill(): Promise<void>;
}

export interface Session {
  /** A statement waits for its answer. */
  readonly isPending: boolean;
  /** And it will not wait for long. */
  readonly isImpatient: boolean;
  /** The isolation level of the open transaction. */
  readonly isolation: Isolation | null;
  /** A statement of its transaction has failed. */
  readonly isFailed: boolean;
  begin(isolation: Isolation): void;
  /** @param isImpatient it waits a moment for a lock */
  run(work: (db: Trx) => Promise<unknown>, isImpatient: boolean): void;
  end(how: 'commit' | 'rollback'): void;
  /** Commits, and the answer is lost with the connection. */
  loseCommit(): void;
  /** Pauses in its transaction for longer than it may, and then asks for the event. */
  overstay(eventId: number): void;
  cut(): void;
  /** What was answered since the last time, and what became of what was asked for. */
  takeSaid(): Said[];
}

/** An answer of the server, or the result of a function; of an error its SQLSTATE, or that the connection was lost. */
export type Said =
  | { command: string; rowCount: number | null; rows: unknown[] }
  | { result: unknown }
  | { error: string };

/** What is different between the two. */
interface Wire {
  connections: Connections;
  setLockTimeout(ms: number | null): Promise<unknown>;
  /** @returns once the server has ended the transaction of a statement that failed */
  settle(): Promise<unknown>;
  loseNextCommit(): void;
  /** Longer than it may be idle. */
  outlast(): Promise<void>;
  cut(): void;
}

const A_MOMENT_MS = 20;
/** Nothing takes so long: what Postgres does not end, the client does not either. */
const PATIENCE_MS = 600_000;
/** Something is always still within milliseconds, and within seconds on a busy machine. */
const STILL_WITHIN_MS = 30_000;
const LOST = 'connection lost';

function createSession(wire: Wire): Session {
  let said: Said[] = [];
  let trx: ControlledTransaction<Database> | undefined;
  let isolation: Isolation | null = null;
  let isFailed = false;
  let isImpatient = false;
  let pending: Promise<void> | undefined;
  const db = limitWaits(
    recorded(wire.connections, (answer) => said.push(answer)),
    {
      max: 1,
      statementTimeoutMs: PATIENCE_MS,
    },
  );

  function start(work: () => Promise<unknown>): void {
    const ended = work().then(
      (result) => said.push({ result }),
      async (error: unknown) => {
        if (trx !== undefined) isFailed = true;
        said.push({ error: codeOf(error) });
        await wire.settle();
      },
    );
    const settled = ended.then(() => {
      if (pending === settled) pending = undefined;
    });
    pending = settled;
  }

  async function end(how: 'commit' | 'rollback'): Promise<void> {
    const ended = trx;
    trx = undefined;
    isolation = null;
    isFailed = false;
    try {
      await ended?.[how]().execute();
    } catch (error) {
      // It gives the connection back.
      await ended?.rollback().execute();
      throw error;
    }
  }

  return {
    get isPending() {
      return pending !== undefined;
    },
    get isImpatient() {
      return isImpatient;
    },
    get isolation() {
      return isolation;
    },
    get isFailed() {
      return isFailed;
    },
    begin(level) {
      start(async () => {
        trx = await db.startTransaction().setIsolationLevel(level).execute();
        isolation = level;
      });
    },
    run(work, waitsOnlyAMoment) {
      isImpatient = waitsOnlyAMoment;
      start(async () => {
        if (!waitsOnlyAMoment) return work(trx ?? (db as unknown as Trx));
        await wire.setLockTimeout(A_MOMENT_MS);
        try {
          return await work(trx ?? (db as unknown as Trx));
        } finally {
          await wire.setLockTimeout(null);
          isImpatient = false;
        }
      });
    },
    end: (how) => start(() => end(how)),
    loseCommit() {
      wire.loseNextCommit();
      start(() => end('commit'));
    },
    overstay(eventId) {
      start(async () => {
        const open = trx as unknown as Trx;
        await allowIdle(open, A_MOMENT_MS - IDLE_IN_TRANSACTION_MS);
        await wire.outlast();
        try {
          await readStock(open, eventId);
        } finally {
          await end('rollback');
        }
      });
    },
    cut() {
      const wasPending = pending;
      wire.cut();
      start(async () => {
        await wasPending;
        if (trx !== undefined) await end('rollback');
      });
    },
    takeSaid() {
      const taken = said;
      said = [];
      return taken;
    },
  };
}

/** The same connections, got in another way. */
function gotBy(connections: Connections, connect: Connections['connect']): Connections {
  return {
    get totalCount() {
      return connections.totalCount;
    },
    get idleCount() {
      return connections.idleCount;
    },
    get waitingCount() {
      return connections.waitingCount;
    },
    connect,
    end: () => connections.end(),
  };
}

/** Connections whose answers are written down. */
function recorded(connections: Connections, record: (answer: Said) => void): Connections {
  return gotBy(connections, async () => {
    const connection = await connections.connect();
    return {
      async query(query) {
        const result = await connection.query(query);
        const { command, rowCount, rows } = result;
        record({ command, rowCount, rows });
        return result;
      },
      release: (destroy) => connection.release(destroy),
    };
  });
}

function codeOf(error: unknown): string {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code)) {
    // Why the server has ended the connection is sometimes heard, and sometimes the connection is gone by then.
    return code === '25P03' ? LOST : code;
  }
  return cause === undefined ? LOST : codeOf(cause);
}

/** @param url of a database of its own */
export async function openRealSessions(url: string, count: number): Promise<Sessions & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const watcher = new Client({ connectionString: url });
  await watcher.connect();
  opened.defer(() => watcher.end());
  /** Servers' processes whose client has gone. */
  const leftAlone = new Set<number>();

  const sessions = await Promise.all(
    Array.from({ length: count }, async () => {
      const proxy = opened.use(await startFaultProxy(Number(new URL(url).port)));
      const pool = openConnections({
        url: proxy.through(url),
        max: 1,
        applicationName: 'differential',
        statementTimeoutMs: PATIENCE_MS,
      });
      opened.defer(() => pool.end());
      let pid = 0;
      let current: Connection | undefined;
      let lockTimeoutMs = 0;
      const query = (text: string) =>
        current?.query({ text, values: [], query_timeout: PATIENCE_MS }) ?? Promise.resolve();
      const connections = gotBy(pool, async () => {
        const connection = await pool.connect();
        current = connection;
        const { rows } = (await query(
          `select pg_backend_pid() as pid, set_config('lock_timeout', '${lockTimeoutMs}', false),
                  set_config('idle_in_transaction_session_timeout', '0', false),
                  set_config('deadlock_timeout', '${A_MOMENT_MS}ms', false),
                  set_config('synchronous_commit', 'off', false)`,
        )) as { rows: { pid: number }[] };
        pid = rows[0]?.pid ?? 0;
        return connection;
      });
      // What follows runs in another process of the server.
      const leaveAlone = () => {
        if (pid !== 0) leftAlone.add(pid);
        pid = 0;
      };
      const session = createSession({
        connections,
        async setLockTimeout(ms) {
          lockTimeoutMs = ms ?? 0;
          // Where the transaction has failed its rollback takes back what was set.
          await query(`set lock_timeout = ${lockTimeoutMs}`).catch(() => {});
        },
        // Whatever it answers: by then it has done with the statement before.
        settle: () => query('select').catch(() => {}),
        loseNextCommit() {
          leaveAlone();
          proxy.dropReplies();
        },
        async outlast() {
          while ((await watcher.query('select from pg_stat_activity where pid = $1', [pid])).rowCount !== 0);
        },
        cut() {
          leaveAlone();
          proxy.cut();
        },
      });
      return { session, pid: () => pid };
    }),
  );

  async function untilStill(): Promise<void> {
    const untilMs = performance.now() + STILL_WITHIN_MS;
    for (;;) {
      const pending = sessions.filter(({ session }) => session.isPending);
      if (pending.length === 0 && leftAlone.size === 0) return;
      const pids = [...pending.map(({ pid }) => pid()), ...leftAlone];
      const { rows } = await watcher.query<{ pid: number; isBlocked: boolean }>(
        `select pid, cardinality(pg_blocking_pids(pid)) > 0 as "isBlocked" from pg_stat_activity
         where pid = any($1)`,
        [pids],
      );
      const blocked = new Map(rows.map(({ pid, isBlocked }) => [pid, isBlocked]));
      for (const pid of leftAlone) if (!blocked.has(pid)) leftAlone.delete(pid);
      const waits = (pid: number) => blocked.get(pid) === true;
      const isStill = pending.every(
        ({ session, pid }) => session.isPending && !session.isImpatient && waits(pid()),
      );
      if (isStill && [...leftAlone].every(waits)) return;
      if (performance.now() > untilMs) {
        throw new Error(`not still: ${JSON.stringify({ rows, leftAlone: [...leftAlone], pids })}`);
      }
    }
  }

  const all = sessions.map(({ session }) => session);
  const kept = opened.move();
  return { all, untilStill, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

export interface ModelSessions extends Sessions {
  readonly rows: ReturnType<typeof createPostgres>['rows'];
  /** A SERIALIZABLE transaction of the session is refused from now on, or is not. */
  refuse(session: Session, isRefused: boolean): void;
  /** Those who wait for each other have waited long enough. */
  breakDeadlock(): Promise<void>;
}

export function openModelSessions(stocks: readonly StockRow[], count: number): ModelSessions {
  const scheduler = createScheduler(randomNumbers(1));
  const network = createNetwork(scheduler, { usualMs: 1, slowOneIn: Infinity, slowMs: 0 });
  const postgres = createPostgres(scheduler, stocks);
  const refused = new Set<Session>();
  /** Of those that wait for each other. */
  const deadlockTimeoutMs = 60_000;

  const all = Array.from({ length: count }, (_, i): Session => {
    const client = scheduler.newProcess(`client ${i}`);
    const settings: SessionSettings = {
      lockTimeoutMs: Infinity,
      deadlockTimeoutMs,
      idleInTransactionMs: Infinity,
      isRefused: () => refused.has(session),
    };
    const connections = connectPostgres(scheduler, network, postgres, client, 1, settings);
    const session = createSession({
      connections,
      async setLockTimeout(ms) {
        settings.lockTimeoutMs = ms ?? Infinity;
      },
      settle: async () => {},
      loseNextCommit: () => connections.loseNextCommit(),
      outlast: () =>
        new Promise((resolve) => {
          scheduler.in(10 * A_MOMENT_MS, client, resolve);
        }),
      cut: () => connections.cut(),
    });
    return session;
  });

  async function runFor(ms: number): Promise<void> {
    // What was begun has its first event by then.
    await turn();
    await scheduler.runUntil(scheduler.nowMs() + ms);
    await turn();
  }

  return {
    all,
    rows: postgres.rows,
    refuse: (session, isRefused) => void (isRefused ? refused.add(session) : refused.delete(session)),
    // All commits, the slow ones too, and a moment; the time in which a deadlock is found is longer.
    untilStill: () => runFor(3_000),
    breakDeadlock: () => runFor(deadlockTimeoutMs),
  };
}
