import { createRoute, z } from '@hono/zod-openapi';

import { plainText } from '#src/contract-fields.ts';
import { BOOKING_STATES, bookingView, eventParams } from '#src/contract.ts';
import { type BookingPage, listBookings } from '#src/storage/booking-lists.ts';
import { eventExists } from '#src/storage/events.ts';
import type { Db } from '#src/storage/schema.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { viewWithState } from './booking-view.ts';
import { csv, exportPages, ndjson } from './export-bookings.ts';
import { guardAgainstOutage } from './outage.ts';
import { DEFAULT_LISTED, linkToNext, MAX_LISTED, pageLimit, pageOf } from './paging.ts';
import { eventNotFound, FOR_OPERATORS, ProblemError, problems } from './problem.ts';
import { isUuid } from './request-id.ts';
import { createRouter } from './router.ts';

/** Each reads a page after the other; more of them would keep whoever looks on waiting. */
const MAX_EXPORTS = 16;

const filters = {
  state: z.enum(BOOKING_STATES, `must be one of ${BOOKING_STATES.join(', ')}`).optional(),
};

const paging = {
  after: z.string().refine(isUuid, 'must be the id of a booking').optional().openapi({
    format: 'uuid',
    description: 'The id of the last booking of the page before: the header `Link` has it.',
  }),
  limit: pageLimit(),
};

const aPage = { 200: pageOf(bookingView) };

const common = { tags: ['bookings'], method: 'get' as const, security: [{ operator: [] }] };

const ofEvent = createRoute({
  ...common,
  operationId: 'listBookingsOfEvent',
  path: '/events/{event_id}/bookings',
  summary: 'List the bookings of an event, by the time at which they were made',
  request: {
    params: eventParams,
    query: z.object({ ...filters, customer: plainText(200).optional(), ...paging }),
  },
  responses: { ...aPage, ...problems(...FOR_OPERATORS, 'event_not_found', 'busy', 'no_answer') },
});

const ofCustomer = createRoute({
  ...common,
  operationId: 'listBookingsOfCustomer',
  path: '/bookings',
  summary: 'List the bookings of a customer, of all events',
  request: { query: z.object({ customer: plainText(200), ...filters, ...paging }) },
  responses: { ...aPage, ...problems(...FOR_OPERATORS, 'busy', 'no_answer') },
});

const exportEvent = createRoute({
  ...common,
  operationId: 'exportBookings',
  path: '/events/{event_id}/export',
  summary: 'Get all bookings of an event as a stream',
  description:
    'Each is there at most once, as it was when its part was read; what is booked meanwhile may be missing. An export ' +
    'that fails on the way breaks off: one that ends as it should is whole.',
  request: {
    params: eventParams,
    query: z.object({ ...filters, format: z.enum(['ndjson', 'csv'], 'must be ndjson or csv').optional() }),
  },
  responses: {
    200: {
      description: 'One booking a line: as JSON, or as CSV with a line of names first.',
      content: { 'application/x-ndjson': { schema: z.string() }, 'text/csv': { schema: z.string() } },
    },
    ...problems(...FOR_OPERATORS, 'event_not_found', 'busy', 'no_answer'),
  },
});

export interface BookingListDeps {
  access: Access;
  answers: Answers;
  reads: Db;
}

const idOf = ({ bookingId }: { bookingId: string }) => bookingId;

/** For operators: they show whose bookings they are. */
export function bookingListRoutes({ access, answers, reads }: BookingListDeps) {
  const middleware = access.require('bookings:read');
  let exporting = 0;

  return createRouter()
    .openapi({ ...ofEvent, middleware }, async (c) => {
      const { event_id: eventId } = c.req.valid('param');
      const { limit = DEFAULT_LISTED, ...query } = c.req.valid('query');
      const page = await readPage({ ...query, eventId, limit });
      if (page.length === 0) await assertEventExists(eventId);
      return answers.json(
        c,
        200,
        page,
        linkToNext(`/events/${eventId}/bookings`, { ...query, limit }, page, idOf),
      );
    })
    .openapi({ ...ofCustomer, middleware }, async (c) => {
      const { limit = DEFAULT_LISTED, ...query } = c.req.valid('query');
      const page = await readPage({ ...query, limit });
      return answers.json(c, 200, page, linkToNext('/bookings', { ...query, limit }, page, idOf));
    })
    .openapi({ ...exportEvent, middleware }, async (c) => {
      const { event_id: eventId } = c.req.valid('param');
      const { format = 'ndjson', state } = c.req.valid('query');
      if (exporting >= MAX_EXPORTS) {
        const detail = `This instance has ${MAX_EXPORTS} exports under way.`;
        throw new ProblemError({ code: 'busy', detail });
      }
      await assertEventExists(eventId);
      const pages = exportPages(
        (after) => readPage({ eventId, state, after, limit: MAX_LISTED }),
        format === 'csv' ? csv : ndjson,
        () => {
          exporting += 1;
          return { [Symbol.dispose]: () => void (exporting -= 1) };
        },
      );
      return answers.stream(c, pages, format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson');
    });

  async function readPage(page: BookingPage) {
    const bookings = await guardAgainstOutage(() => listBookings(reads, page));
    return bookings.map(viewWithState);
  }

  async function assertEventExists(id: number): Promise<void> {
    if (!(await guardAgainstOutage(() => eventExists(reads, id)))) throw eventNotFound(id);
  }
}
