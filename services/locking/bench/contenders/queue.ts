import { createQueueLock } from '@lastseat/locking';

import { patienceMs, type Contender } from '../contender.ts';

export const queue: Contender = {
  key: 'queue',
  title: 'queue',
  isPeer: false,
  hasQueue: true,
  servers: 1,
  settings: 'as it comes: has a name queue, in which the waiters of one process share a place',
  open([redis]) {
    const locks = createQueueLock(redis, { waitMs: patienceMs });
    return {
      withLock: (name, section) => locks.withLock(name, ({ token }) => section(token)),
      close: () => locks.close(),
    };
  },
};
