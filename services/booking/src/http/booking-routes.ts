import { createRoute, z } from '@hono/zod-openapi';

import { cancel } from '#src/booking/cancel.ts';
import { bookingParams, bookingView, REQUEST_ID_HEADER } from '#src/contract.ts';
import { findBooking, findBookingsOfRequests, type StoredBooking } from '#src/storage/bookings.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';
import { BOOKED_WITHIN_MS, REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { viewFor } from './booking-view.ts';
import { hasClientAlready, ifNoneMatch, NOT_SHARED, tagOf } from './conditional.ts';
import { guardAgainstOutage } from './outage.ts';
import { bookingNotFound, ProblemError, problems } from './problem.ts';
import { isRequestId, isUuid, uuidOf } from './request-id.ts';
import { createRouter } from './router.ts';

const shown = { description: 'The booking.', content: { 'application/json': { schema: bookingView } } };

const lookUpBooking = createRoute({
  operationId: 'lookUpBooking',
  security: [{}, { buyer: [] }, { operator: [] }],
  tags: ['bookings'],
  method: 'get',
  path: '/bookings/{booking_id}',
  summary: 'Look up a booking',
  request: { params: bookingParams },
  parameters: [ifNoneMatch],
  responses: {
    200: shown,
    304: { description: 'As the client has it.' },
    ...problems('booking_not_found', 'busy', 'no_answer'),
  },
});

const lookUpRequest = createRoute({
  operationId: 'lookUpRequest',
  security: [{}, { buyer: [] }, { operator: [] }],
  tags: ['bookings'],
  method: 'get',
  path: '/requests/{request_id}',
  summary: 'Look up the booking that a request has made, for instance one whose answer was lost',
  request: {
    params: z.object({
      request_id: z.string().openapi({ description: `As in the answer's \`${REQUEST_ID_HEADER}\`.` }),
    }),
  },
  responses: { 200: shown, ...problems('booking_not_found', 'busy', 'no_answer') },
});

const cancelBooking = createRoute({
  operationId: 'cancelBooking',
  security: [{ buyer: [] }, { operator: [] }],
  tags: ['bookings'],
  method: 'delete',
  path: '/bookings/{booking_id}',
  summary: 'Cancel a booking: its tickets are free again',
  request: { params: bookingParams },
  responses: {
    200: { ...shown, description: 'What was cancelled.' },
    ...problems('unauthorized', 'forbidden', 'booking_not_found', 'busy', 'unknown'),
  },
});

export interface BookingDeps {
  answers: Answers;
  db: PooledDb;
  reads: Db;
  access: Access;
}

/** Bookings that have been made: looked at, and taken back. */
export function bookingRoutes(deps: BookingDeps) {
  const { access, answers, db, reads } = deps;

  return createRouter()
    .openapi(lookUpBooking, async (c) => {
      const { booking_id: id } = c.req.valid('param');
      const booking = isUuid(id) ? await guardAgainstOutage(() => findBooking(reads, id)) : undefined;
      if (booking === undefined) throw bookingNotFound(id);
      const view = viewFor(c, access, booking);
      const etag = tagOf(view);
      if (hasClientAlready(c, etag)) return answers.unchanged(c, etag, NOT_SHARED);
      return answers.json(c, 200, view, { etag, ...NOT_SHARED });
    })
    .openapi(lookUpRequest, async (c) => {
      const { request_id: id } = c.req.valid('param');
      if (isRequestId(id)) {
        const requestId = uuidOf(id);
        const found = await guardAgainstOutage(() => findBookingsOfRequests(reads, [requestId]));
        const booking = found.get(requestId);
        if (booking !== undefined) return answers.json(c, 200, viewFor(c, access, booking), NOT_SHARED);
      }
      const detail =
        `There is no booking of a request ${id}. ` +
        `One that was sent less than ${Math.ceil(BOOKED_WITHIN_MS / 1_000)} s ago may still make one.`;
      throw new ProblemError({ code: 'booking_not_found', detail });
    })
    .openapi(cancelBooking, async (c) => {
      const deadlineMs = c.get('arrivedAtMs') + REQUEST_DEADLINE_MS;
      const { booking_id: id } = c.req.valid('param');
      access.assertBuyerOr('bookings:write', c, id);
      const whereToLook = `GET /bookings/${id} tells whether the booking still stands`;
      const cancelled = isUuid(id)
        ? await guardAgainstOutage(() => findAndCancel(id, deadlineMs), whereToLook)
        : undefined;
      if (cancelled === undefined) throw bookingNotFound(id);
      return answers.json(c, 200, viewFor(c, access, cancelled));
    });

  async function findAndCancel(id: string, deadlineMs: number): Promise<StoredBooking | undefined> {
    const booking = await findBooking(db, id);
    if (booking === undefined || !(await cancel(db, booking, deadlineMs))) return undefined;
    return { ...booking, state: 'cancelled' };
  }
}
