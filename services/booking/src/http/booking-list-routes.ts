import { createRoute, z } from '@hono/zod-openapi';

import { plainText, wholeNumberText } from '#src/contract-fields.ts';
import { BOOKING_STATES, bookingView, eventParams } from '#src/contract.ts';
import { type BookingPage, listBookings } from '#src/storage/booking-lists.ts';
import { eventExists } from '#src/storage/events.ts';
import type { Db } from '#src/storage/schema.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { viewWithState } from './booking-view.ts';
import { csv, exportPages, ndjson } from './export-bookings.ts';
import { guardAgainstOutage } from './outage.ts';
import { eventNotFound, ProblemError, problems } from './problem.ts';
import { createRouter } from './router.ts';

const DEFAULT_LISTED = 100;

/** An answer of some 250 kB, and a statement of a few milliseconds. */
const MAX_LISTED = 1_000;

/** Each reads a page after the other; more of them would keep whoever looks on waiting. */
const MAX_EXPORTS = 16;

const filters = {
  state: z.enum(BOOKING_STATES, `must be one of ${BOOKING_STATES.join(', ')}`).optional(),
};

const paging = {
  after: z
    .string()
    .regex(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, 'must be the id of a booking')
    .optional()
    .openapi({ description: 'The id of the last booking of the page before: the header `Link` has it.' }),
  limit: wholeNumberText(1, MAX_LISTED).optional(),
};

const aPage = {
  200: {
    description: 'A page of them. If there may be more, the header `Link` names the next page.',
    content: { 'application/json': { schema: z.array(bookingView) } },
  },
};

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
  responses: { ...aPage, ...problems('unauthorized', 'forbidden', 'event_not_found', 'busy', 'no_answer') },
});

const ofCustomer = createRoute({
  ...common,
  operationId: 'listBookingsOfCustomer',
  path: '/bookings',
  summary: 'List the bookings of a customer, of all events',
  request: { query: z.object({ customer: plainText(200), ...filters, ...paging }) },
  responses: { ...aPage, ...problems('unauthorized', 'forbidden', 'not_found', 'busy', 'no_answer') },
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
    ...problems('unauthorized', 'forbidden', 'event_not_found', 'busy', 'no_answer'),
  },
});

export interface BookingListDeps {
  access: Access;
  answers: Answers;
  reads: Db;
}

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
      return answers.json(c, 200, page, nextOf(`/events/${eventId}/bookings`, { ...query, limit }, page));
    })
    .openapi({ ...ofCustomer, middleware }, async (c) => {
      const { limit = DEFAULT_LISTED, ...query } = c.req.valid('query');
      const page = await readPage({ ...query, limit });
      return answers.json(c, 200, page, nextOf('/bookings', { ...query, limit }, page));
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

function nextOf(
  path: string,
  query: { limit: number; state?: string | undefined; customer?: string | undefined },
  page: readonly { bookingId: string }[],
): Record<string, string> {
  const last = page.at(-1);
  if (last === undefined || page.length < query.limit) return {};
  const given = Object.entries({ ...query, after: last.bookingId }).filter(
    ([, value]) => value !== undefined,
  );
  const next = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return { link: `<${path}?${next.toString()}>; rel="next"` };
}
