import type { LabStrategyFactory } from '@lastseat/booking/strategy';

import { sell } from './sell.ts';
import { acquire, OTHERS_HOLD_IT, release, releaseAnybodys } from './textbook-lock.ts';

const TTL_MS = 1_000;

/** Whoever is late deletes the lock of whoever holds it by then. */
const strategy =
  (name: string, giveBack: typeof release): LabStrategyFactory =>
  (deps) => ({
    name,
    guarantee: 'while-lease-held',
    async book(request) {
      const lease = await acquire(deps, request, TTL_MS);
      if (lease === null) return OTHERS_HOLD_IT;
      try {
        return await sell(deps, name, request);
      } finally {
        await giveBack(deps, lease);
      }
    },
  });

export default [
  strategy('foreign-release-broken', releaseAnybodys),
  strategy('foreign-release-right', release),
];
