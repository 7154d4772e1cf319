import { randomUUIDv7 } from 'node:crypto';

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { wholeNumberText } from '#src/contract-fields.ts';
import {
  BOOKING_SECRET_HEADER,
  type BookingInput,
  bookingBody,
  bookingView,
  eventParams,
  eventView,
  MAX_CAPACITY,
} from '#src/contract.ts';
import { deleteBookingsBefore } from '#src/storage/bookings.ts';
import { beginEpoch } from '#src/storage/events.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { autocommit } from '#src/storage/transaction.ts';
import { QUERY_TIMEOUT_MS, REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { viewOf } from './booking-view.ts';
import { eventTag } from './conditional.ts';
import { eventViewOf } from './event-view.ts';
import { onlyInLab } from './lab-mode.ts';
import type { ProblemLog } from './log-problem.ts';
import { guardAgainstOutage } from './outage.ts';
import { eventNotFound, IN_BODY, problems } from './problem.ts';
import type { Env } from './read-input.ts';
import { createRouter } from './router.ts';

/** Bookings deleted per statement: some 50 ms, well within the statement timeout. */
const SWEEP_SLICE = 10_000;

const reset = createRoute({
  operationId: 'resetEvent',
  tags: ['lab'],
  method: 'post',
  path: '/reset/{event_id}',
  summary: 'Begin a new epoch with all tickets free; without `tickets` the capacity stays',
  request: {
    params: eventParams,
    query: z.object({ tickets: wholeNumberText(0, MAX_CAPACITY).optional() }),
  },
  responses: {
    200: {
      description: 'The event as it begins.',
      content: { 'application/json': { schema: eventView } },
    },
    ...problems('lab_mode_off', 'event_not_found', 'busy', 'unknown'),
  },
});

const noop = createRoute({
  operationId: 'noop',
  tags: ['lab'],
  method: 'post',
  path: '/noop',
  summary:
    'The measure of the stack itself: a booking request that is read, checked and answered, and touches nothing',
  request: { body: { content: { 'application/json': { schema: bookingBody } } } },
  responses: {
    201: { description: 'As if booked.', content: { 'application/json': { schema: bookingView } } },
    ...problems(...IN_BODY, 'lab_mode_off'),
  },
});

export interface LabDeps {
  access: Access;
  answers: Answers;
  db: PooledDb;
  instanceId: string;
  labMode: boolean;
  log: ProblemLog;
}

export function labRoutes({ access, answers, db, instanceId, labMode, log }: LabDeps) {
  const noopOnlyInLab = onlyInLab(labMode, 'The no-op route');

  return createRouter()
    .openapi({ ...reset, middleware: onlyInLab(labMode, 'Reset') }, async (c) => {
      const { event_id: id } = c.req.valid('param');
      const { tickets } = c.req.valid('query');
      const deadlineMs = c.get('arrivedAtMs') + REQUEST_DEADLINE_MS;
      const event = await guardAgainstOutage(async () => {
        const begun = await autocommit(db.until(deadlineMs), (db) => beginEpoch(db, id, tickets));
        if (begun !== undefined) await sweep(id, begun.epoch, deadlineMs);
        return begun?.event;
      }, `GET /events/${id} tells whether it was reset`);
      if (event === undefined) throw eventNotFound(id);
      return answers.json(c, 200, eventViewOf(event), { etag: eventTag(event) });
    })
    .openapi({ ...noop, middleware: noopOnlyInLab }, async (c) => answerNoop(c, c.req.valid('json')))
    .openapi(
      { ...noop, operationId: 'noopGet', method: 'get' as const, request: {}, middleware: noopOnlyInLab },
      async (c) => answerNoop(c, { customer: 'anonymous', quantity: 1 }),
    );

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

  function answerNoop(c: Context<Env>, { customer, quantity }: BookingInput) {
    const bookingId = randomUUIDv7();
    const view = viewOf({
      bookingId,
      eventId: 1,
      customer,
      quantity,
      strategy: 'no-lock',
      instanceId,
      fencingToken: Date.now() * 1_000,
    });
    return answers.json(c, 201, view, {
      location: `/bookings/${bookingId}`,
      [BOOKING_SECRET_HEADER]: access.secretOf(bookingId),
    });
  }
}
