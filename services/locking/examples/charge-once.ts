import type { Locks } from '@lastseat/locking';
import type { Pool } from 'pg';

/**
 * A payment that must not be charged twice, although several workers see it and each of them may be stopped at any point.
 *
 *     create table payment (id text primary key, state text not null default 'due', fence bigint not null default 0)
 *
 * No lock alone can promise that: a worker can be stopped after its last check and charge when its lease is long over.
 * So each part does its own: the lock keeps workers from doing the same at once, the provider is given the same
 * idempotency key by all of them, and the row refuses a worker whose token is not the newest.
 */
export function chargeOnce(
  locks: Locks,
  pool: Pool,
  paymentId: string,
  charge: (idempotencyKey: string, signal: AbortSignal) => Promise<void>,
): Promise<'charged' | 'charged before'> {
  return locks.withLock(`payment/${paymentId}`, { waitMs: 5_000 }, async ({ token, signal }) => {
    const claimed = await pool.query<{ state: string }>(
      'update payment set fence = $2 where id = $1 and fence < $2 returning state',
      [paymentId, token],
    );
    const state = claimed.rows[0]?.state;
    if (state === undefined) throw new Error(`payment ${paymentId}: unknown, or a newer worker has it`);
    if (state === 'charged') return 'charged before';

    await charge(paymentId, signal);

    const done = await pool.query(`update payment set state = 'charged' where id = $1 and fence = $2`, [
      paymentId,
      token,
    ]);
    // The newer worker charges with the same key, so the provider does nothing, and that one writes the row.
    if (done.rowCount === 0) throw new Error(`payment ${paymentId}: a newer worker has it`);
    return 'charged';
  });
}
