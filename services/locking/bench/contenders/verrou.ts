import { LockFactory } from '@verrou/core';
import { redisStore } from '@verrou/core/drivers/redis';

import type { Contender } from '../contender.ts';

export const verrou: Contender = {
  key: 'verrou',
  title: '@verrou/core 0.5',
  isPeer: true,
  hasQueue: false,
  servers: 1,
  settings: 'its defaults, tries every 250 ms and never gives up; has no renewal',
  open([redis], { retryDelayMs }) {
    const factory = new LockFactory(
      redisStore({ connection: redis }).factory(),
      retryDelayMs === undefined ? {} : { retry: { delay: retryDelayMs } },
    );
    return {
      async withLock(name, section) {
        const [acquired] = await factory.createLock(name).run(async () => section());
        if (!acquired) throw new Error('verrou gave up');
      },
      // A closed connection ends its tries.
      close: () => Promise.resolve(),
    };
  },
};
