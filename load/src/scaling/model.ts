/**
 * What a booking costs, and how many of them there can be. Times are microseconds, rates are by the second.
 *
 * Requests gather while a batch is being committed. So of a crowd that asks again when it is answered, one half is in
 * batches under way and the other half gathers, each spread over the replicas that the event meets: the batch is
 * `crowd / 2 / replicas`. A guard whose lock lets one replica commit at a time gathers everywhere meanwhile, but the
 * holder writes what its lease is handed: about `crowd / 2`.
 *
 * On one machine, whose cores all parts share, each booking takes so much of it: what any request takes (measured by the
 * no-op route), what its row takes, and its share of what the batch takes. A guard that writes bookings one by one waits
 * for its row instead: a commit and the round trips during which the row is locked, one booking after the other.
 */
export interface Costs {
  /** Of the machine's time, beyond what any request takes. */
  rowUs: number;
  batchUs: number;
  /** What a batch costs more where its lease goes from replica to replica. */
  handOverUs: number;
  /** What holds the row of a hot event for one booking: something that there is once, and each round trip. */
  commitUs: number;
  roundTripUs: number;
}

/** One statement of the service inserts no more (services/booking, batch-queues.ts). */
export const LARGEST_BATCH = 512;

export function batchOf(crowd: number, contenders: number): number {
  return Math.min(LARGEST_BATCH, Math.max(1, crowd / 2 / contenders));
}

/** nginx sends no more requests of one event to a replica before it asks the next one (nginx/docker/homes.conf). */
const HOME_BOUND = 100;

/** How many of the replicas an event meets at its home. */
export function homesOf(crowd: number, replicas: number): number {
  return Math.min(replicas, Math.ceil(crowd / HOME_BOUND));
}

/** @param noopPerS what the no-op route answers under the same load */
export function batchedPerS({ rowUs, batchUs }: Costs, noopPerS: number, batch: number): number {
  return 1e6 / (1e6 / noopPerS + rowUs + batchUs / batch);
}

export function batchedUnderLockPerS(costs: Costs, noopPerS: number, batch: number): number {
  return batchedPerS({ ...costs, batchUs: costs.batchUs + costs.handOverUs }, noopPerS, batch);
}

/** @param roundTrips to Postgres for one booking */
export function oneByOnePerS({ commitUs, roundTripUs }: Costs, roundTrips: number): number {
  return 1e6 / (commitUs + roundTrips * roundTripUs);
}

/** Little's law: how long each of a crowd waits that asks again as soon as it is answered. */
export function waitMs(crowd: number, perS: number): number {
  return (crowd / perS) * 1e3;
}
