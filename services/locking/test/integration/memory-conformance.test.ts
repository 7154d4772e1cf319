import { describe } from 'vitest';

import { createMemoryLock, createMemoryServer, type Locks } from '#src/index.ts';
import { createQueueSteps } from '#src/memory/queue-steps.ts';
import type { MemoryLink } from '#src/memory/server.ts';

import { describeLocks } from './conformance.ts';
import type { LockKindOptions, ConformanceLab } from './lock-lab.ts';

describe('memory lock', () => {
  describeLocks({ servers: 1, createLocks: (_redises, options) => createMemoryLock(options), openLab });
});

/** What the other locks have in servers, proxies and clients. */
async function openLab(): Promise<ConformanceLab> {
  const server = createMemoryServer() as MemoryLink;
  const network = server.link();
  const open = new Set<Locks>();
  const steps = createQueueSteps(
    { staleMs: 0, queueMemoryMs: 0, tokenMemoryMs: 0 },
    () => (performance.timeOrigin + performance.now()) * 1_000,
    { isHeard: () => false, tell: () => undefined },
    () => undefined,
    server.data.namesOf('lock:'),
  );

  return {
    clients: [],
    proxies: [
      {
        dropReplies: (count) => ({ done: network.loseReplies(count) }),
        refuse: async () => network.fallSilent(),
        blackHole: () => network.fallSilent(),
        heal: async () => network.recover(),
      },
    ],
    open({ throughProxies = false, ...options }: LockKindOptions & { throughProxies?: boolean } = {}) {
      const locks = createMemoryLock({ ...options, server: throughProxies ? network : server });
      open.add(locks);
      return locks;
    },
    keys: async () => Array.from({ length: steps.size() }, () => 'a key'),
    async onAll(command) {
      if (command === 'flushall') server.flush();
    },
    async closeAll() {
      network.recover();
      await Promise.all([...open].map((locks) => locks.close()));
      open.clear();
    },
    async [Symbol.asyncDispose]() {},
  };
}
