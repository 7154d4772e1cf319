import { createLock, IoredisAdapter, type Lock } from 'redlock-universal';

import type { Contender } from '../contender.ts';

export const redlockUniversal: Contender = {
  key: 'redlock-universal',
  title: 'redlock-universal 0.8',
  isPeer: true,
  servers: 1,
  settings: 'createLock with its defaults, tries every 100 ms; a billion retryAttempts (default: 3)',
  open([redis], { retryDelayMs }) {
    const adapter = new IoredisAdapter(redis);
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
      close: () => Promise.resolve(),
    };
  },
};
