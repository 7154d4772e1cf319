import type { LabStrategyFactory } from '@lastseat/booking/strategy';

import { sell } from './sell.ts';
import { acquire, OTHERS_HOLD_IT, release } from './textbook-lock.ts';

const TTL_MS = 1_000;

/** Its lease ends while it decides; the next holder sells; then it writes what it has decided on. */
const strategy =
  (name: string, isFenced: boolean): LabStrategyFactory =>
  (deps) => ({
    name,
    guarantee: 'while-lease-held',
    async book(request) {
      const lease = await acquire(deps, request, TTL_MS);
      if (lease === null) return OTHERS_HOLD_IT;
      try {
        return await sell(deps, name, request, isFenced ? { token: lease.token } : {});
      } finally {
        await release(deps, lease);
      }
    },
  });

export default [
  strategy('longer-than-the-lease-broken', false),
  strategy('longer-than-the-lease-right', true),
];
