import { createQuorumLock } from '@lastseat/locking';

import { patienceMs, type Contender } from '../contender.ts';

export const quorum: Contender = {
  key: 'quorum',
  title: 'quorum of 3 servers',
  isPeer: false,
  hasQueue: false,
  servers: 3,
  settings: 'as it comes, on three servers: tries every 50 ms on average, fully jittered',
  open(clients, { retryDelayMs }) {
    const locks = createQuorumLock(clients, {
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
