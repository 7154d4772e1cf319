import { Mutex } from 'redis-semaphore';

import type { Contender } from '../contender.ts';

export const redisSemaphore: Contender = {
  key: 'redis-semaphore',
  title: 'redis-semaphore 5.8',
  isPeer: true,
  hasQueue: false,
  servers: 1,
  settings: 'Mutex with its defaults, tries every 10 ms; acquireTimeout: Infinity (default: 10 s)',
  open([redis], { retryDelayMs }) {
    const options = {
      acquireTimeout: Infinity,
      ...(retryDelayMs !== undefined && { retryInterval: retryDelayMs }),
    };
    return {
      async withLock(name, section) {
        const mutex = new Mutex(redis, name, options);
        await mutex.acquire();
        try {
          await section();
        } finally {
          await mutex.release();
        }
      },
      // A closed connection ends its tries.
      close: () => Promise.resolve(),
    };
  },
};
