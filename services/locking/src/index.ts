export type { AcquireDefaultOptions, AcquireOptions, Lease, Locks } from './lock.ts';
export {
  LockError,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  type LockErrorCode,
  type LockErrorDetails,
  type LossReason,
} from './errors.ts';
export type { IoredisClient } from './adapters/ioredis.ts';
export type { NodeRedisClient } from './adapters/node-redis.ts';
export type { RedisClient } from './client/choose-adapter.ts';
export { clientOf } from './holder-id.ts';
export { createMemoryLock, type MemoryLockOptions } from './memory-lock.ts';
export { createMemoryServer, type MemoryServer } from './memory/server.ts';
export { createQueueLock, type QueueLockOptions, type QueueLocks } from './queue-lock.ts';
export type { LockOptions } from './options.ts';
export type { Listeners, LockEvent, LockEventListener, RenewalFailure } from './lock-events.ts';
export type { ServerFinding } from './client/check-server.ts';
export { createSimpleLock, type SimpleLockOptions, type SimpleLocks } from './simple-lock.ts';
export {
  createWebLocks,
  type LockInfo,
  type LockSnapshot,
  type WebLock,
  type WebLockOptions,
  type WebLocks,
  type WebLocksOptions,
  type WebLocksSource,
} from './web-locks.ts';
export {
  createQuorumLock,
  type QuorumFinding,
  type QuorumLockOptions,
  type QuorumLocks,
} from './quorum-lock.ts';
