import type { LabStrategyFactory } from '@lastseat/booking/strategy';

import { sell } from './sell.ts';
import { acquire, OTHERS_HOLD_IT, release } from './textbook-lock.ts';

/** A lock without an end: whoever dies holding it keeps it. */
const strategy =
  (name: string, ttlMs: number | null): LabStrategyFactory =>
  (deps) => ({
    name,
    guarantee: 'while-lease-held',
    async book(request) {
      const lease = await acquire(deps, request, ttlMs);
      if (lease === null) return OTHERS_HOLD_IT;
      try {
        return await sell(deps, name, request);
      } finally {
        await release(deps, lease);
      }
    },
  });

export default [strategy('no-ttl-broken', null), strategy('no-ttl-right', 1_000)];
