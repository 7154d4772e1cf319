import { createSimpleLock } from '@lastseat/locking';

import { patienceMs, type Contender } from '../contender.ts';

export const simple: Contender = {
  key: 'simple',
  title: 'simple',
  isPeer: false,
  hasQueue: false,
  servers: 1,
  settings: 'as it comes: tries every 50 ms on average, fully jittered',
  open([redis], { retryDelayMs }) {
    const locks = createSimpleLock(redis, {
      waitMs: patienceMs,
      ...(retryDelayMs !== undefined && { retryDelayMs }),
    });
    return {
      withLock: (name, section) => locks.withLock(name, ({ token }) => section(token)),
      async close() {
        await locks[Symbol.asyncDispose]();
      },
    };
  },
};
