import {
  allowIdle,
  CHANGED_MEANWHILE,
  commitBooking,
  insertWithinTerms,
  isSerializationFailure,
  readStock,
  SOLD_OUT,
  untilNoConflict,
  writeStock,
  type LabStrategyFactory,
  type Outcome,
} from '@lastseat/booking/strategy';

import { waitAtGate } from './gate.ts';

// Longer than a request may last: a transaction that waits at the gate is not ended for being idle.
const IDLE_MS = 9_000;

/**
 * "It is in a transaction, so it is safe": at READ COMMITTED two transactions read the same stock, and the second one
 * writes over the first. The code is the same; SERIALIZABLE refuses one of them, which then starts over.
 */
const strategy =
  (name: string, isolation: 'read committed' | 'serializable'): LabStrategyFactory =>
  (deps) => {
    const { db, instanceId, onRetry } = deps;
    return {
      name,
      guarantee: isolation === 'serializable' ? 'always' : 'none',
      book: (request) =>
        untilNoConflict(
          request,
          () => onRetry(name),
          () =>
            commitBooking(
              db,
              request,
              async (trx): Promise<Outcome> => {
                const { eventId, quantity } = request;
                await allowIdle(trx, IDLE_MS);
                const stock = await readStock(trx, eventId);
                if (stock === undefined) return { code: 'event_not_found' };
                if (stock.available < quantity) return SOLD_OUT;
                await waitAtGate(deps, request);
                const { epoch, changes } = stock;
                const available = stock.available - quantity;
                const taken = await writeStock(trx, { eventId, epoch, changes, available });
                if (taken === undefined) return CHANGED_MEANWHILE;
                const made = { ...taken, epoch, strategy: name, instanceId, fencingToken: null };
                return insertWithinTerms(trx, { ...request, ...made });
              },
              { isolation },
            ).catch((error: unknown) => {
              if (isSerializationFailure(error)) return { code: 'conflict' };
              throw error;
            }),
        ),
    };
  };

export default [
  strategy('wrong-isolation-broken', 'read committed'),
  strategy('wrong-isolation-right', 'serializable'),
];
