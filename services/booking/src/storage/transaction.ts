import { channel } from 'node:diagnostics_channel';

import { sql, type IsolationLevel } from 'kysely';

import { mark } from '#src/marks.ts';
import { IDLE_IN_TRANSACTION_MS } from '#src/time-limits.ts';

import { CommitUnknownError, isNotCommitted } from './failure.ts';
import type { Db, Trx } from './schema.ts';

/**
 * Runs `body` in a transaction: committed when it returns, rolled back when it throws.
 * @throws CommitUnknownError when the commit was sent and its answer was lost. Every other error means: rolled back.
 */
export async function transact<T>(
  db: Db,
  body: (trx: Trx) => Promise<T>,
  { isolation = 'read committed' }: { isolation?: IsolationLevel } = {},
): Promise<T> {
  let isCommitting = false;
  try {
    const result = await db
      .transaction()
      .setIsolationLevel(isolation)
      .execute(async (trx) => {
        const result = await body(trx);
        isCommitting = true;
        await mark('commits');
        return result;
      });
    await mark('committed');
    return result;
  } catch (error) {
    throw isCommitting ? commitFailure(error) : error;
  }
}

/** Lets the transaction pause that much longer between two statements than transactions may. */
export async function allowIdle(trx: Trx, idleMs: number): Promise<void> {
  const timeoutMs = String(IDLE_IN_TRANSACTION_MS + idleMs);
  await sql`select set_config('idle_in_transaction_session_timeout', ${timeoutMs}, true)`.execute(trx);
}

/** Runs one statement that commits by itself, on a connection that is known to be there. Same errors as `transact`. */
export async function autocommit<T>(db: Db, statement: (db: Db) => Promise<T>): Promise<T> {
  let isSent = false;
  try {
    await mark('waits');
    const result = await db.connection().execute(async (connection) => {
      isSent = true;
      await mark('writes');
      return statement(connection);
    });
    await mark('committed');
    return result;
  } catch (error) {
    throw isSent ? commitFailure(error) : error;
  }
}

/** A server that refused the commit did not commit. If nothing came back, or nothing that decides it, nobody knows. */
function commitFailure(error: unknown): unknown {
  if (isNotCommitted(error)) return error;
  commitsInDoubt.publish(error);
  return new CommitUnknownError('the connection was lost during COMMIT', { cause: error });
}

/** Node's own way to tell whoever watches; it costs nothing where nobody does. */
const commitsInDoubt = channel('lastseat:commit-in-doubt');

/**
 * Calls `listener` whenever this process does not know what became of a commit.
 * @returns what ends it
 */
export function onCommitInDoubt(listener: () => void): () => void {
  commitsInDoubt.subscribe(listener);
  return () => {
    commitsInDoubt.unsubscribe(listener);
  };
}
