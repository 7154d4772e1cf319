/**
 * What a strategy in a file of its own is written with, in the lab: the same words that ours are written in. This is the
 * package's door `@lastseat/booking/strategy`; load/challenge/README.md leads through it.
 */
export { sql } from 'kysely';

export { commitBooking, commitStatement } from './booking/commit.ts';
export { insertWithinTerms } from './booking/insert-within-terms.ts';
export type { LabStrategy, LabStrategyDeps, LabStrategyFactory } from './booking/lab-strategies.ts';
export { holdRaceWindow } from './booking/race-window.ts';
export { untilNoConflict, type Conflict } from './booking/retry.ts';
export {
  CHANGED_MEANWHILE,
  EVENT_NOT_FOUND,
  lockNameOf,
  lockWaitOf,
  SOLD_OUT,
  type BookingRequest,
  type Outcome,
} from './booking/strategy.ts';
export { underLease } from './booking/under-lease.ts';
export { mark } from './marks.ts';
export { isSerializationFailure } from './storage/failure.ts';
export {
  lockEventByAdvisory,
  lockStock,
  readStock,
  takeStock,
  takeStockFenced,
  writeStock,
  writeStockIfUnchanged,
} from './storage/inventory.ts';
export type { Db, Trx } from './storage/schema.ts';
export { allowIdle } from './storage/transaction.ts';
