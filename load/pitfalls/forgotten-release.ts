import type { LabStrategyFactory } from '@lastseat/booking/strategy';

import { sell } from './sell.ts';
import { acquire, OTHERS_HOLD_IT, release } from './textbook-lock.ts';

// What its author thought to be safe.
const TTL_MS = 30_000;

/** The way out for whoever is refused leaves the lock behind. */
const broken: LabStrategyFactory = (deps) => ({
  name: 'forgotten-release-broken',
  guarantee: 'none',
  async book(request) {
    const lease = await acquire(deps, request, TTL_MS);
    if (lease === null) return OTHERS_HOLD_IT;
    const outcome = await sell(deps, 'forgotten-release-broken', request);
    if (outcome.code !== 'booked') return outcome;
    await release(deps, lease);
    return outcome;
  },
});

const right: LabStrategyFactory = (deps) => ({
  name: 'forgotten-release-right',
  guarantee: 'while-lease-held',
  async book(request) {
    const lease = await acquire(deps, request, TTL_MS);
    if (lease === null) return OTHERS_HOLD_IT;
    try {
      return await sell(deps, 'forgotten-release-right', request);
    } finally {
      await release(deps, lease);
    }
  },
});

export default [broken, right];
