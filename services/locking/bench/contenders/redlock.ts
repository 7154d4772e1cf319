import Redlock from 'redlock';

import { ttlMs, type Contender } from '../contender.ts';

export const redlock: Contender = {
  key: 'redlock',
  title: 'redlock 5 beta',
  isPeer: true,
  hasQueue: false,
  servers: 1,
  settings:
    'its defaults, tries every 200 ms ± 100 ms; retryCount: -1, so it never gives up (default: after 10)',
  open([redis], { retryDelayMs }) {
    const locks = new Redlock([redis], {
      retryCount: -1,
      ...(retryDelayMs !== undefined && { retryDelay: retryDelayMs, retryJitter: retryDelayMs / 2 }),
    });
    return {
      withLock: (name, section) => locks.using([name], ttlMs, async () => section()),
      close() {
        // It takes a closed connection for a lock that is taken, and tries again; without a server it only waits.
        locks.clients.clear();
        return Promise.resolve();
      },
    };
  },
};
