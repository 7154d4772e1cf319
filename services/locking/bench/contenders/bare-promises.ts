import { setImmediate as turn } from 'node:timers/promises';

import type { Contender } from '../contender.ts';

/** As many as callers of the queue lock that follow one another at most. */
const handOversPerTurn = 256;

/**
 * No lock: a line of promises within one process, for comparison. What ten thousand of those cost more than ten is the
 * processor's memory, and no lock in this language can do without them.
 */
export const barePromises: Contender = {
  key: 'bare-promises',
  title: '(bare promises)',
  isPeer: false,
  hasQueue: true,
  servers: 1,
  settings: 'no lock at all: each waiter is a `then` on the one before it',
  open() {
    let last: Promise<unknown> = Promise.resolve();
    let asked = 0;
    return {
      withLock(_name, section) {
        asked += 1;
        // Promises alone would never let the event loop have its turn.
        if (asked % handOversPerTurn === 0) last = last.then(() => turn());
        const mine = last.then(() => section());
        last = mine;
        return mine;
      },
      close: () => Promise.resolve(),
    };
  },
};
