import { randomUUIDv7 } from 'node:crypto';

import type { Context, Hono } from 'hono';

import { type BookingView, MAX_CAPACITY } from '#src/contract.ts';
import { deleteBookingsBefore } from '#src/storage/bookings.ts';
import { beginEpoch } from '#src/storage/events.ts';
import { autocommit } from '#src/storage/transaction.ts';
import { QUERY_TIMEOUT_MS, REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { RouteDeps } from './app.ts';
import { bookingBody } from './booking-routes.ts';
import { eventNotFound } from './event-routes.ts';
import { guardAgainstOutage } from './outage.ts';
import {
  type Env,
  labModeOff,
  readEventId,
  readJson,
  readOptionalWholeNumber,
  readQuery,
} from './read-input.ts';

/** Bookings deleted per statement: some 50 ms, well within the statement timeout. */
const SWEEP_SLICE = 10_000;

export function addLabRoutes(app: Hono<Env>, { answers, db, instanceId, labMode, log }: RouteDeps): void {
  /** A new epoch with all tickets free; without `tickets` the capacity stays. */
  app.post('/reset/:event_id', async (c) => {
    if (!labMode) throw labModeOff('Reset');
    const query = readQuery(c, 'tickets');
    const id = readEventId(c.req.param('event_id'));
    const tickets = readOptionalWholeNumber('tickets', query.tickets, 0, MAX_CAPACITY);
    const deadlineMs = performance.now() + REQUEST_DEADLINE_MS;
    const event = await guardAgainstOutage(async () => {
      const begun = await autocommit(db.until(deadlineMs), (db) => beginEpoch(db, id, tickets));
      if (begun !== undefined) await sweep(id, begun.epoch, deadlineMs);
      return begun?.event;
    }, `GET /events/${id} tells whether it was reset`);
    if (event === undefined) throw eventNotFound(id);
    return answers.json(c, 200, event);
  });

  /** The measure of the stack itself: a booking request that is read, checked and answered, and touches nothing. */
  app.on(['GET', 'POST'], '/noop', async (c) => {
    if (!labMode) throw labModeOff('The no-op route');
    readQuery(c);
    return answerNoop(c);
  });

  /**
   * Deletes what the epochs before have left behind, outside the transaction that everybody waits for. What is left
   * when the time is over, or Postgres has none for it, does not count any more and goes with the next reset: this one
   * is committed, whatever becomes of the sweep.
   */
  async function sweep(eventId: number, epoch: number, deadlineMs: number): Promise<void> {
    const untilMs = deadlineMs - QUERY_TIMEOUT_MS;
    try {
      while (performance.now() < untilMs) {
        const slice = { eventId, epoch, limit: SWEEP_SLICE };
        const deleted = await deleteBookingsBefore(db.until(deadlineMs), slice);
        if (deleted < SWEEP_SLICE) return;
      }
    } catch (err) {
      log.warn({ err, eventId }, 'bookings of before a reset are left for the next one');
    }
  }

  async function answerNoop(c: Context<Env>): Promise<Response> {
    const { customer, quantity } = await readJson(c, bookingBody);
    const bookingId = randomUUIDv7();
    const view: BookingView = {
      bookingId,
      eventId: 1,
      customer,
      quantity,
      strategy: 'no-lock',
      instanceId,
      fencingToken: Date.now() * 1_000,
    };
    return answers.json(c, 201, view, { location: `/bookings/${bookingId}` });
  }
}
