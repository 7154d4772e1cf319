import { createQueueLock } from '@lastseat/locking';

import { patienceMs, type Contender } from '../contender.ts';

export const queue: Contender = {
  key: 'queue',
  title: 'queue',
  isPeer: false,
  standsInLine: true,
  servers: 1,
  settings: 'as it comes: waits in line, the waiters of one process share a place in it',
  open([redis]) {
    const locks = createQueueLock(redis, { waitMs: patienceMs });
    return {
      withLock: (name, section) => locks.withLock(name, ({ token }) => section(token)),
      close: () => locks.close(),
    };
  },
};
