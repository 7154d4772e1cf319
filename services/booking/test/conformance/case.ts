import assert from 'node:assert/strict';

import { book } from '#src/booking/book.ts';
import type { BookingRequest, Outcome, Strategy } from '#src/booking/strategy.ts';
import type { Context } from '#src/context.ts';
import type { PooledDb } from '#src/storage/pool.ts';

import { requestInRaceWindow } from '../support/requests.ts';
import type { Rows } from '../support/rows.ts';

/** What a strategy is tried with: two replicas' worth of it, and a look at Postgres. */
export interface Rig {
  here: Context;
  there: Context;
  db: PooledDb;
  rows: Rows;
}

/** One thing that every strategy owes. Fails by throwing; knows of no test runner, so that it can be run without one. */
export interface ConformanceCase {
  title: string;
  /** Batches are decided together, which not every case can be asked of. */
  isFor?(strategy: Strategy): boolean;
  run(rig: Rig, name: string): Promise<void>;
}

export function strategyOf({ strategies }: Context, name: string): Strategy {
  const strategy = strategies.get(name);
  if (strategy === undefined) throw new Error(`there is no strategy ${name}`);
  return strategy;
}

/** A booking that stands between its read and its write, where it then stays for a while. */
export async function bookInRaceWindow(
  context: Context,
  name: string,
  eventId: number,
  overrides: Partial<BookingRequest> & { raceWindowMs: number },
): Promise<{ booking: Promise<Outcome> }> {
  const { request, isInside } = requestInRaceWindow(eventId, overrides);
  const booking = book(strategyOf(context, name), request);
  const first = await Promise.race([isInside, booking]);
  const said = `it was told ${first?.code} and was never held: call holdRaceWindow(request) between the read and the write`;
  assert.equal(first, undefined, said);
  return { booking };
}
