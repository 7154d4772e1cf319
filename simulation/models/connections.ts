import type {
  Connection,
  Connections,
  Query,
  Result,
} from '../../services/booking/src/storage/connections.ts';
import { CONNECT_TIMEOUT_MS } from '../../services/booking/src/time-limits.ts';
import type { Network, Wire } from '../world/network.ts';
import type { Process, Scheduler } from '../world/scheduler.ts';
import type { Answer, Isolation, Postgres, ServerError, Session, SessionSettings } from './postgres.ts';
import { statementOf } from './statements.ts';

/** A replica's connections to the model of Postgres, with what pg's pool does: a bounded number, and a queue for them. */
export interface ModelConnections extends Connections {
  /** All of them break. */
  cut(): void;
  /** Nothing arrives over them any more, and nobody says so. */
  fallSilent(): void;
  /** The answer to the next COMMIT, or to the next statement that commits by itself, is lost with its connection. */
  loseNextCommit(): void;
}

interface Client {
  readonly wire: Wire;
  readonly session: Session;
  isBroken: boolean;
  readonly underWay: Set<(error: Error) => void>;
  isInTransaction: boolean;
}

export function connectPostgres(
  scheduler: Scheduler,
  network: Network,
  postgres: Postgres,
  owner: Process,
  max: number,
  settings?: SessionSettings,
): ModelConnections {
  const open = new Set<Client>();
  const idle: Client[] = [];
  const waiting: { resolve: (client: Client) => void; reject: (error: Error) => void }[] = [];
  let opening = 0;
  let commitsToLose = 0;

  postgres.crashed(() => {
    for (const client of open) client.wire.cut();
  });

  function newClient(): Client {
    const wire = network({
      client: owner,
      server: postgres.process,
      onCut: () => breaks(client, lost()),
      onGone: () => client.session.clientGone(),
    });
    const client: Client = {
      wire,
      session: postgres.newSession((error) => wire.answer(() => breaks(client, error)), settings),
      isBroken: false,
      underWay: new Set(),
      isInTransaction: false,
    };
    return client;
  }

  function breaks(client: Client, error: Error): void {
    client.isBroken = true;
    const at = idle.indexOf(client);
    if (at !== -1) {
      idle.splice(at, 1);
      drop(client);
    }
    for (const reject of client.underWay) reject(error);
    client.underWay.clear();
  }

  function drop(client: Client): void {
    client.wire.cut();
    open.delete(client);
    serve();
  }

  /** Gives what is free to those who wait. */
  function serve(): void {
    while (waiting.length > 0 && idle.length > 0) waiting.shift()?.resolve(idle.pop() as Client);
    while (waiting.length > opening && open.size + opening < max) {
      opening += 1;
      scheduler.in(0.5 + scheduler.random(), owner, () => {
        opening -= 1;
        if (!postgres.isUp) {
          waiting.shift()?.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
          return;
        }
        const client = newClient();
        open.add(client);
        const next = waiting.shift();
        if (next === undefined) idle.push(client);
        else next.resolve(client);
      });
    }
  }

  function send(client: Client, { text, values, query_timeout }: Query): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (client.isBroken) {
      reject(new Error('Client has encountered a connection error and is not queryable'));
      return promise;
    }
    const { wire, session, underWay } = client;
    const timeout = scheduler.in(query_timeout, owner, () => fail(new Error('Query read timeout')));
    const fail = (error: Error): void => {
      scheduler.cancel(timeout);
      underWay.delete(fail);
      reject(error);
    };
    underWay.add(fail);
    const isCommit =
      text === 'commit' || (!client.isInTransaction && !text.startsWith('start') && commits(text));
    const reply = (command: string, { rows, rowCount }: Answer, error?: ServerError): void => {
      if (isCommit && error === undefined && commitsToLose > 0) {
        commitsToLose -= 1;
        scheduler.tell(() => `the answer to a commit of ${owner.name} is lost`);
        wire.cut();
        return;
      }
      wire.answer(() => {
        if (!underWay.has(fail)) return;
        if (error !== undefined) {
          fail(error);
          return;
        }
        scheduler.cancel(timeout);
        underWay.delete(fail);
        resolve({ command, rowCount, rows });
      });
    };
    const nothing: Answer = { rows: [], rowCount: null };

    if (text.startsWith('start transaction')) {
      client.isInTransaction = true;
      wire.send(() => {
        session.begin(/isolation level (.+)$/.exec(text)?.[1] as Isolation | undefined);
        reply('START', nothing);
      });
    } else if (text === 'commit' || text === 'rollback') {
      client.isInTransaction = false;
      wire.send(() => session.end(text, (ended, error) => reply(ended.toUpperCase(), nothing, error)));
    } else {
      const { run } = statementOf(text, values.map(sent));
      const [word = ''] = /^\s*\w+/.exec(text) ?? [];
      const command = word.trim().toUpperCase().replace('WITH', 'SELECT');
      wire.send(() => session.run(run, (answer, error) => reply(command, answer, error)));
    }
    return promise;
  }

  function handOut(client: Client): Connection {
    return {
      query: (query) => send(client, query),
      release(destroy) {
        if (destroy === true || client.isBroken) drop(client);
        else {
          idle.push(client);
          serve();
        }
      },
    };
  }

  return {
    get totalCount() {
      return open.size + opening;
    },
    get idleCount() {
      return idle.length;
    },
    get waitingCount() {
      return waiting.length;
    },
    async connect() {
      const { promise, resolve, reject } = Promise.withResolvers<Client>();
      const wait = { resolve, reject };
      waiting.push(wait);
      const timeout = scheduler.in(CONNECT_TIMEOUT_MS, owner, () => {
        const at = waiting.indexOf(wait);
        if (at !== -1) waiting.splice(at, 1);
        reject(new Error('timeout exceeded when trying to connect'));
      });
      serve();
      try {
        return handOut(await promise);
      } finally {
        scheduler.cancel(timeout);
      }
    },
    async end() {},
    cut() {
      for (const client of open) client.wire.cut();
    },
    fallSilent() {
      for (const client of open) client.wire.fallSilent();
    },
    loseNextCommit() {
      commitsToLose += 1;
    },
  };
}

function lost(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}

/** What the driver makes of a value when it is sent. */
function sent(value: unknown): unknown {
  const { toPostgres } = Object(value) as { toPostgres?: () => unknown };
  return toPostgres === undefined ? value : toPostgres();
}

/** Of a statement that stands alone: whether it changes anything. */
function commits(text: string): boolean {
  return /\b(insert into|update|delete from)\b/.test(text);
}
