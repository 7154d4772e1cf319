import { createLock, IoredisAdapter, type Lock } from 'redlock-universal';

import type { Contender } from '../contender.ts';

export const redlockUniversal: Contender = {
  key: 'redlock-universal',
  title: 'redlock-universal 0.8',
  isPeer: true,
  hasQueue: false,
  servers: 1,
  settings: 'createLock with its defaults, tries every 100 ms; a billion retryAttempts (default: 3)',
  open([redis], { retryDelayMs }) {
    const adapter = new ClosableAdapter(redis);
    // A lock object is made for one key and meant to be kept.
    const locks = new Map<string, Lock>();
    const lockOf = (key: string): Lock => {
      const known = locks.get(key);
      if (known) return known;
      const lock = createLock({
        adapter,
        key,
        retryAttempts: 1_000_000_000,
        ...(retryDelayMs !== undefined && { retryDelay: retryDelayMs }),
      });
      locks.set(key, lock);
      return lock;
    };
    return {
      withLock: (name, section) => lockOf(name).using(async () => section()),
      close() {
        adapter.closed = true;
        return Promise.resolve();
      },
    };
  },
};

/** The library takes a closed connection for a lock that is taken, and tries again; this one then never answers. */
class ClosableAdapter extends IoredisAdapter {
  closed = false;

  override setNX(key: string, value: string, ttlMs: number): Promise<string | null> {
    return this.closed ? new Promise(() => {}) : super.setNX(key, value, ttlMs);
  }
}
