import { describe } from 'vitest';

import { createQuorumLock, createSimpleLock } from '#src/index.ts';

import { describeLocks, serverTimeoutMs } from './conformance.ts';

describe('simple lock', () => {
  describeLocks({
    servers: 1,
    createLocks: ([redis], options) => createSimpleLock(redis!, options),
  });
});

describe('quorum lock', () => {
  describeLocks({
    servers: 3,
    createLocks: (redises, options) => createQuorumLock(redises, { serverTimeoutMs, ...options }),
  });
});
