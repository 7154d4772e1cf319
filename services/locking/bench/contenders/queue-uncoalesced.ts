import { createQueueLock } from '@lastseat/locking';

import { patienceMs, type Contender } from '../contender.ts';

export const queueUncoalesced: Contender = {
  key: 'queue-uncoalesced',
  title: 'queue, no coalescing',
  isPeer: false,
  hasQueue: true,
  servers: 1,
  settings: 'coalesce: false: each waiter has its own place in the name queue',
  open([redis]) {
    const locks = createQueueLock(redis, { coalesce: false, waitMs: patienceMs });
    return {
      withLock: (name, section) => locks.withLock(name, ({ token }) => section(token)),
      close: () => locks.close(),
    };
  },
};
