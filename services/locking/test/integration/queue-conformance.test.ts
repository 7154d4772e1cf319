import { describe } from 'vitest';

import { createQueueLock } from '#src/index.ts';

import { describeLocks } from './conformance.ts';

describe('queue lock', () => {
  describeLocks({
    servers: 1,
    createLocks: ([redis], options) => createQueueLock(redis!, options),
  });
});

describe('queue lock, one place per caller', () => {
  describeLocks({
    servers: 1,
    createLocks: ([redis], options) => createQueueLock(redis!, { ...options, coalesce: false }),
  });
});
