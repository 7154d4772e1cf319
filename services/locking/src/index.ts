export type { AcquireOptions, Lease, Locks } from './lock.ts';
