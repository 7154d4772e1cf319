import {
  CHANGED_MEANWHILE,
  commitBooking,
  insertWithinTerms,
  readStock,
  SOLD_OUT,
  takeStockFenced,
  writeStock,
  type BookingRequest,
  type LabStrategyDeps,
  type Outcome,
} from '@lastseat/booking/strategy';

import { waitAtGate } from './gate.ts';

type Deps = Pick<LabStrategyDeps, 'db' | 'redis' | 'instanceId'>;

/**
 * The critical section of all of them: read, wait at the gate, decide, write what was decided on.
 * @param token with one, Postgres is asked whether a larger one was there before
 */
export async function sell(
  deps: Deps,
  strategy: string,
  request: BookingRequest,
  { token }: { token?: number } = {},
): Promise<Outcome> {
  const { db, instanceId } = deps;
  const { deadlineMs, eventId, quantity } = request;
  const stock = await readStock(db.until(deadlineMs), eventId);
  if (stock === undefined) return { code: 'event_not_found' };

  await waitAtGate(deps, request);

  if (stock.available < quantity) return SOLD_OUT;
  return commitBooking(db, request, async (trx) => {
    const { epoch, changes } = stock;
    const taken = await (token === undefined
      ? writeStock(trx, { eventId, epoch, changes, available: stock.available - quantity })
      : takeStockFenced(trx, { eventId, epoch, quantity, token }));
    if (taken === undefined) return token === undefined ? CHANGED_MEANWHILE : FENCED_OUT;
    return insertWithinTerms(trx, {
      ...request,
      ...taken,
      epoch,
      strategy,
      instanceId,
      fencingToken: token ?? null,
    });
  });
}

const FENCED_OUT: Outcome = {
  code: 'busy',
  detail: 'Postgres has seen a larger token; nothing was written.',
};
