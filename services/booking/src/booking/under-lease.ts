import type { AcquireOptions, Lease, Locks } from '@lastseat/locking';

import { mark } from '#src/marks.ts';

/**
 * Runs `body` while holding the lock. What the body returns stands whatever becomes of the release: once the booking
 * is committed, a lease that ran out a moment later must not turn it into a failure.
 */
export async function underLease<T>(
  locks: Locks,
  name: string,
  options: AcquireOptions & { onReleaseFailed: (error: unknown) => void },
  body: (lease: Lease) => Promise<T>,
): Promise<T> {
  const { onReleaseFailed, ...acquireOptions } = options;
  await mark('waits');
  const lease = await locks.acquire(name, acquireOptions);
  await mark('holds', lease.token);
  try {
    return await body(lease);
  } finally {
    await mark('released');
    // Nobody waits for it: a silent Redis must not hold up the answer.
    void lease.release().catch(onReleaseFailed);
  }
}
