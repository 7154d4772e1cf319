import type { Locks } from '@lastseat/locking';
import type { Pool } from 'pg';

export interface Item {
  readonly sku: string;
  readonly quantity: number;
}

/**
 * An order of several items: all of them or none.
 *
 *     create table stock (sku text primary key, quantity int not null, fence bigint not null default 0)
 *
 * The names are locked together. The order in which they are given does not matter: they are always taken in the same
 * one, so two orders never wait for each other in a circle. Each row is fenced by the token of its own name.
 */
export function order(locks: Locks, pool: Pool, items: readonly Item[]): Promise<'ordered' | 'not in stock'> {
  const names = items.map(({ sku }) => `sku/${sku}`);
  return locks.withLock(names, { waitMs: 5_000 }, async (lease) => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      for (const { sku, quantity } of items) {
        const taken = await client.query(
          `update stock set quantity = quantity - $2, fence = $3
            where sku = $1 and quantity >= $2 and fence <= $3`,
          [sku, quantity, lease.tokens?.get(`sku/${sku}`)],
        );
        if (taken.rowCount === 1) continue;
        await client.query('rollback');
        return 'not in stock';
      }
      lease.assertHeld();
      await client.query('commit');
      return 'ordered';
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  });
}
