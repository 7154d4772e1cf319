import { LockLostError } from './errors.ts';
import type { Lease } from './lock.ts';

/**
 * Runs `fn` under a lease and gives the lease back whatever happens. Of several outcomes the one that tells most wins:
 * 1. the error of `fn`, always: a failing release is then only reported;
 * 2. `LockLostError`, when the lease was lost although `fn` ended well: what it did was not protected, and its
 *    result must not pass for one that was;
 * 3. the result of `fn`, also when Redis did not answer the release: the lease was held until `fn` had ended, and
 *    what is left of it ends with its TTL.
 */
export async function runUnderLease<T>(
  lease: Lease,
  fn: (lease: Lease) => Promise<T> | T,
  onReleaseFailed: (error: unknown) => void,
): Promise<T> {
  let result: T;
  try {
    result = await fn(lease);
  } catch (error) {
    await lease.release().catch(onReleaseFailed);
    throw error;
  }
  try {
    await lease.release();
  } catch (error) {
    if (error instanceof LockLostError) throw error;
    onReleaseFailed(error);
  }
  return result;
}
