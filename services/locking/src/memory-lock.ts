import { createMemoryServer, type MemoryLink, type MemoryServer } from './memory/server.ts';
import { openMemoryQueueStore } from './memory/store.ts';
import { openQueueLock, type QueueLockOptions, type QueueLocks } from './queue-lock.ts';

export interface MemoryLockOptions extends QueueLockOptions {
  /** Locks over the same one keep each other out, as processes do over one Redis. Default: one of its own. */
  server?: MemoryServer | undefined;
}

/**
 * The queue lock without a Redis, for the tests of programs that use it: the same code, over a model of its scripts. It
 * passes the same tests as the other locks. It keeps nobody out of another process.
 */
export function createMemoryLock({
  server = createMemoryServer(),
  ...options
}: MemoryLockOptions = {}): QueueLocks {
  // Only `createMemoryServer` makes one.
  const link = server as MemoryLink;
  const { locks } = openQueueLock({ keyPrefix: '' }, options, (messages, storeOptions, timers) =>
    openMemoryQueueStore(link, timers, messages, storeOptions),
  );
  return { ...locks, check: () => Promise.resolve([]) };
}
