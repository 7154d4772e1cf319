import { Redis } from 'ioredis';

import type { OpenLock } from './contender.ts';
import { contenderOf } from './contenders.ts';

export interface OpenPlan {
  /** Which contender, by its key. */
  contender: string;
  /** As many servers as it needs. */
  urls: readonly string[];
  retryDelayMs: number | undefined;
}

/** A contender with connections of its own. */
export async function openLock(plan: OpenPlan): Promise<OpenLock> {
  const clients = plan.urls.map((url) => new Redis(url, { lazyConnect: true }));
  await Promise.all(clients.map((client) => client.connect()));
  const [first, ...others] = clients;
  if (!first) throw new Error('a lock needs a Redis');
  const lock = contenderOf(plan.contender).open([first, ...others], { retryDelayMs: plan.retryDelayMs });
  // Some connect, and send their scripts, when they are first asked.
  await lock.withLock(`opened-by-${process.pid}`, () => {});
  return {
    withLock: lock.withLock,
    async close() {
      await lock.close();
      for (const client of clients) client.disconnect();
    },
  };
}
