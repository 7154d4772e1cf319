import { systemClock } from './clock.ts';
import type { LeasePort } from './lease.ts';
import type { LockEventListener } from './lock-events.ts';

/** The port, telling what becomes of its lease. */
export function tellEvents(
  port: LeasePort,
  { name: lock, token }: { name: string; token: number },
  emit: LockEventListener | undefined,
): LeasePort {
  if (emit === undefined) return port;
  const sinceMs = systemClock.now();
  const heldForMs = () => systemClock.now() - sinceMs;
  let over = false;
  return {
    extend: (ttlMs) => port.extend(ttlMs),
    async release() {
      // Tried again after an unknown outcome it is still the same release, and "not yours" then says nothing.
      if (over) return port.release();
      over = true;
      const heldMs = heldForMs();
      emit({ type: 'released', lock, token, heldMs });
      const released = await port.release();
      if (released !== 'released') emit({ type: 'lost', lock, token, why: released, heldMs });
      return released;
    },
    onLoss(loss) {
      emit({ type: 'lost', lock, token, why: loss.why, heldMs: heldForMs() });
      port.onLoss?.(loss);
    },
    onRenewalFailed(cause) {
      emit({ type: 'renewal-failed', lock, token, cause });
      port.onRenewalFailed?.(cause);
    },
    onRenewed() {
      emit({ type: 'renewed', lock });
      port.onRenewed?.();
    },
  };
}
