export type { AcquireOptions, Lease, Locks } from './lock.ts';
export {
  LockError,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  type LossReason,
} from './errors.ts';
