import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { confirm, extend, giveUp, type HoldOutcome } from '#src/booking/holds.ts';
import { bookingParams, bookingView, holdChangeBody, MAX_HOLD_TOTAL_S } from '#src/contract.ts';
import type { StoredBooking } from '#src/storage/bookings.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import { REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { viewFor } from './booking-view.ts';
import { ifMatchOfHold, readIfMatchTag, tagOf } from './conditional.ts';
import { guardAgainstOutage } from './outage.ts';
import type { ProblemCode } from './problem-kinds.ts';
import { bookingNotFound, IN_BODY, ProblemError, problems } from './problem.ts';
import type { Env } from './read-input.ts';
import { isUuid } from './request-id.ts';
import { createRouter } from './router.ts';

const PROBLEMS: readonly ProblemCode[] = [
  ...IN_BODY,
  'unauthorized',
  'forbidden',
  'booking_not_found',
  'hold_expired',
  'not_held',
  'hold_too_long',
  'busy',
  'unavailable',
  'unknown',
];

const hold = {
  tags: ['holds'],
  security: [{ buyer: [] }, { operator: [] }],
  request: { params: bookingParams },
  responses: {
    200: { description: 'The booking.', content: { 'application/json': { schema: bookingView } } },
    ...problems(...PROBLEMS),
  },
};

const confirmHold = createRoute({
  ...hold,
  operationId: 'confirmHold',
  method: 'post',
  path: '/holds/{booking_id}/confirm',
  summary: 'Confirm a hold: it is a booking from now on',
});

const extendHold = createRoute({
  ...hold,
  operationId: 'extendHold',
  method: 'patch',
  path: '/holds/{booking_id}',
  summary: 'Extend a hold',
  parameters: [ifMatchOfHold],
  request: { ...hold.request, body: { content: { 'application/json': { schema: holdChangeBody } } } },
  responses: { ...hold.responses, ...problems(...PROBLEMS, 'changed_meanwhile') },
});

const giveUpHold = createRoute({
  ...hold,
  operationId: 'giveUpHold',
  method: 'delete',
  path: '/holds/{booking_id}',
  summary: 'Give a hold up: its tickets are free again',
});

export interface HoldDeps {
  access: Access;
  answers: Answers;
  db: PooledDb;
}

/** What becomes of holds. They are made where bookings are made. */
export function holdRoutes({ access, answers, db }: HoldDeps) {
  return createRouter()
    .openapi(confirmHold, async (c) =>
      answer(c, c.req.valid('param').booking_id, (id, deadlineMs) => confirm(db, id, deadlineMs)),
    )
    .openapi(extendHold, async (c) => {
      const { seconds } = c.req.valid('json');
      const hasTag = readIfMatchTag(c);
      const isExpected = hasTag && ((booking: StoredBooking) => hasTag(tagOf(viewFor(c, access, booking))));
      return answer(c, c.req.valid('param').booking_id, (bookingId, deadlineMs) =>
        extend(db, { bookingId, seconds, maxS: MAX_HOLD_TOTAL_S, isExpected }, deadlineMs),
      );
    })
    .openapi(giveUpHold, async (c) =>
      answer(c, c.req.valid('param').booking_id, (id, deadlineMs) => giveUp(db, id, deadlineMs)),
    );

  async function answer(
    c: Context<Env>,
    id: string,
    step: (id: string, deadlineMs: number) => Promise<HoldOutcome>,
  ) {
    access.assertBuyerOr('bookings:write', c, id);
    if (!isUuid(id)) throw bookingNotFound(id);
    const deadlineMs = c.get('arrivedAtMs') + REQUEST_DEADLINE_MS;
    const whereToLook = `GET /bookings/${id} tells its state`;
    const outcome = await guardAgainstOutage(() => step(id, deadlineMs), whereToLook);
    if (outcome.code === 'booking_not_found') throw bookingNotFound(id);
    const view = viewFor(c, access, outcome.booking);
    const etag = tagOf(view);
    if (outcome.code === 'done') return answers.json(c, 200, view, { etag });
    const headers = outcome.code === 'changed_meanwhile' ? { etag } : {};
    throw new ProblemError({ code: outcome.code, detail: detailOf(outcome), headers });
  }
}

function detailOf({ code, booking }: Exclude<HoldOutcome, { code: 'done' | 'booking_not_found' }>): string {
  const { bookingId, expiresAt, state } = booking;
  if (code === 'hold_expired') {
    return `The hold ${bookingId} ended at ${expiresAt?.toISOString()}: its tickets are free, and nothing was changed.`;
  }
  if (code === 'not_held') {
    return `The booking ${bookingId} is ${state}; only one that is held can be confirmed, extended or given up.`;
  }
  if (code === 'changed_meanwhile') {
    return `The booking ${bookingId} is not any more what If-Match names; it is ${state}. Nothing was changed.`;
  }
  return `A hold lasts at most ${MAX_HOLD_TOTAL_S} s from its beginning; it still ends at ${expiresAt?.toISOString()}.`;
}
