import type { LabStrategyFactory } from '@lastseat/booking/strategy';

import { waitAtGate } from './gate.ts';
import { sell } from './sell.ts';
import { acquire, OTHERS_HOLD_IT, release } from './textbook-lock.ts';

// Long enough for what is slow: the lease does not end, and so nobody else is served.
const TTL_MS = 30_000;

/** It asks somebody slow (the gate; say, for a payment) while it holds the lock: the others wait until they are sent away. */
const broken: LabStrategyFactory = (deps) => ({
  name: 'slow-section-broken',
  guarantee: 'while-lease-held',
  async book(request) {
    const lease = await acquire(deps, request, TTL_MS);
    if (lease === null) return OTHERS_HOLD_IT;
    try {
      return await sell(deps, 'slow-section-broken', request);
    } finally {
      await release(deps, lease);
    }
  },
});

/** What is slow comes before: under the lock there is only the read and the write. */
const right: LabStrategyFactory = (deps) => ({
  name: 'slow-section-right',
  guarantee: 'while-lease-held',
  async book(request) {
    await waitAtGate(deps, request);
    const lease = await acquire(deps, request, TTL_MS);
    if (lease === null) return OTHERS_HOLD_IT;
    try {
      return await sell(deps, 'slow-section-right', request);
    } finally {
      await release(deps, lease);
    }
  },
});

export default [broken, right];
