import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'vitest';

import { LockLostError, type Lease, type Locks } from '#src/index.ts';

/** Longer than anybody may take to sell a few seats, whatever happens to Redis meanwhile. */
const patienceMs = 45_000;

/** Many callers of several processes. Each of them takes the lock again and again, and sells a seat under it. */
export interface Crowd {
  /** Of each grant, in their order. */
  readonly tokens: readonly number[];
  /** How often each seat was sold. */
  readonly sales: readonly number[];
  /** How long any caller has waited for the lock at most. */
  readonly longestWaitMs: number;
  /** Resolves once so many more seats are sold. Rejects when a caller has waited in vain. */
  sellsMore(count: number): Promise<void>;
  /** Resolves when nobody sells any more. Rejects when a caller has waited in vain. */
  end(): Promise<void>;
}

/** @param services one for each process; of each, `callers` wait at the same time */
export function startCrowd(services: readonly Locks[], callers: number): Crowd {
  const office = openBoxOffice();
  const { sales } = office;
  const tokens: number[] = [];
  let longestWaitMs = 0;
  const until = { enough: false };

  async function sellOneAfterAnother(locks: Locks): Promise<void> {
    while (!until.enough) {
      const sinceMs = performance.now();
      try {
        await locks.withLock('event', async (lease) => {
          longestWaitMs = Math.max(longestWaitMs, performance.now() - sinceMs);
          tokens.push(lease.token);
          await office.sellOne(lease);
        });
      } catch (error) {
        // A lease may be lost with the server that it was on. But nobody may wait in vain.
        if (!(error instanceof LockLostError)) throw error;
      }
    }
  }

  const all = Promise.all(
    services.flatMap((locks) => Array.from({ length: callers }, () => sellOneAfterAnother(locks))),
  );
  all.catch(() => undefined);

  return {
    tokens,
    sales,
    get longestWaitMs() {
      return longestWaitMs;
    },
    async sellsMore(count) {
      const enough = sales.length + count;
      const sold = async () => {
        await expect.poll(() => sales.length, { timeout: patienceMs }).toBeGreaterThanOrEqual(enough);
      };
      await Promise.race([sold(), all]);
    },
    async end() {
      until.enough = true;
      await all;
    },
  };
}

/** A resource that keeps the largest token it has seen, and refuses whoever brings a smaller one. */
function openBoxOffice() {
  let fence = 0;
  const sales: number[] = [];

  function admits({ token }: Lease): boolean {
    fence = Math.max(fence, token);
    return token === fence;
  }

  return {
    sales,
    /** Looks for the next free seat, and sells it a little later. */
    async sellOne(lease: Lease): Promise<void> {
      if (!admits(lease)) return;
      const seat = sales.length;
      await sleep(1);
      if (admits(lease)) sales[seat] = (sales[seat] ?? 0) + 1;
    },
  };
}
