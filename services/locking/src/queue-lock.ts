import { checkServer, type ServerFinding } from './client/check-server.ts';
import { openClient, type RedisClient } from './client/choose-adapter.ts';
import { openQueueLock, type QueueLockOptions } from './queue-lock-options.ts';
import type { QueueLocksCore } from './queue/locks.ts';
import { openRedisQueueStore, usesOfQueueLock } from './queue/redis-store.ts';

export interface QueueLocks extends QueueLocksCore {
  /** Whether this Redis is fit to keep locks. Call it once, at the start of a program. Never rejects. */
  check(): Promise<ServerFinding[]>;
  /** Sends all waiters away, gives all leases back, ends the connections. Bounded by twice `commandTimeoutMs`. */
  close(): Promise<void>;
}

/**
 * A lock with a queue: first come, first served, and no process asks twice. The release of a lock makes the next
 * waiter its holder, in the same step, and tells it. See PROTOCOL.md.
 *
 * @param redis where the locks are; the locks make connections of their own to it
 */
export function createQueueLock(redis: RedisClient, options: QueueLockOptions = {}): QueueLocks {
  const client = openClient(redis);
  const { locks, keyPrefix, commandTimeoutMs } = openQueueLock(
    client,
    options,
    (messages, storeOptions, timers) => openRedisQueueStore(client, timers, messages, storeOptions),
  );
  const uses = usesOfQueueLock(client, keyPrefix);
  return { ...locks, check: () => checkServer(client.shared, commandTimeoutMs, uses) };
}
