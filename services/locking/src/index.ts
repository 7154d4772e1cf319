export type { AcquireOptions, Lease, Locks } from './lock.ts';
export {
  LockError,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  type LossReason,
} from './errors.ts';
export { createSimpleLock, type SimpleLockOptions, type SimpleLocks } from './simple-lock.ts';
export {
  createWebLocks,
  type LockInfo,
  type LockSnapshot,
  type WebLock,
  type WebLockOptions,
  type WebLocks,
  type WebLocksSource,
} from './web-locks.ts';
export { createQuorumLock, type QuorumLockOptions } from './quorum-lock.ts';
