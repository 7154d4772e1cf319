import { randomUUIDv7 } from 'node:crypto';

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { book } from '#src/booking/book.ts';
import { DEFAULT_STRATEGY, type Strategies } from '#src/booking/registry.ts';
import type { RequestTrace } from '#src/booking/request-trace.ts';
import type { Strategy } from '#src/booking/strategy.ts';
import {
  type BookingInput,
  BOOKING_SECRET_HEADER,
  bookingBody,
  bookingView,
  eventParams,
  holdBody,
  IDEMPOTENCY_KEY_HEADER,
  IDEMPOTENCY_REPLAYED_HEADER,
  MARKS_HEADER,
  MAX_IDEMPOTENCY_KEY,
  MAX_RACE_WINDOW_MS,
  RACE_WINDOW_HEADER,
  REQUEST_COUNT_HEADER,
  STRATEGY_NAMES,
} from '#src/contract.ts';
import { createStriker, type Failpoint } from '#src/failpoint.ts';
import { mark, type Mark, type OnMark, serverTimingOf, withMarks } from '#src/marks.ts';
import { REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { Access } from './access.ts';
import type { Answers } from './answer.ts';
import { type BookingToShow, viewOf, viewWithState } from './booking-view.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { labModeOff, onlyInLab, readFailpoint, readRaceWindowMs } from './lab-mode.ts';
import type { ProblemLog } from './log-problem.ts';
import { IN_BODY, ProblemError, problems } from './problem.ts';
import type { Env } from './read-input.ts';
import { refusalOf } from './refusal.ts';
import { createRequestCount } from './request-count.ts';
import { mayBeRepeated, requestIdOf, uuidOf } from './request-id.ts';
import { createRouter } from './router.ts';

/**
 * Bookings under way in one replica. Each holds a socket, a body and a place in a queue; a crowd beyond this is told
 * to come back, which it can act on, rather than to wait for an answer that comes too late.
 */
const MAX_IN_FLIGHT = 4_096;

/** What all routes that book have in common. */
const booking = {
  tags: ['bookings'],
  parameters: [
    {
      in: 'header' as const,
      name: IDEMPOTENCY_KEY_HEADER,
      schema: { type: 'string' as const, minLength: 1, maxLength: MAX_IDEMPOTENCY_KEY, pattern: '^[ -~]+$' },
      description:
        `Names the booking, so that it is made once, however often it is sent: a repeat gets the first answer, with ` +
        `\`${IDEMPOTENCY_REPLAYED_HEADER}: true\`. Of one event and customer. One that nobody can guess, for the answer has ` +
        `the booking's secret.`,
    },
    {
      in: 'header' as const,
      name: RACE_WINDOW_HEADER,
      schema: { type: 'integer' as const, minimum: 0, maximum: MAX_RACE_WINDOW_MS },
      description:
        'Lab mode only: how long it waits between its read and its write, so that a race is certain.',
    },
  ],
  responses: {
    201: { description: 'Booked.', content: { 'application/json': { schema: bookingView } } },
    ...problems(
      ...IN_BODY,
      'sold_out',
      'all_held',
      'not_on_sale',
      'limit_reached',
      'customer_required',
      'busy',
      'event_not_found',
      'request_id_reused',
      'idempotency_key_reused',
      'idempotency_key_in_use',
      'unknown',
    ),
  },
};

const body = { content: { 'application/json': { schema: bookingBody } } };

const bookTickets = createRoute({
  ...booking,
  operationId: 'bookTickets',
  method: 'post',
  path: '/events/{event_id}/bookings',
  summary: 'Book tickets',
  request: {
    params: eventParams,
    query: z.object({
      strategy: z
        .string()
        .optional()
        .openapi({ enum: [...STRATEGY_NAMES], description: 'Lab mode only.' }),
    }),
    body,
  },
});

const holdTickets = createRoute({
  ...booking,
  operationId: 'holdTickets',
  tags: ['holds'],
  method: 'post',
  path: '/events/{event_id}/holds',
  summary: 'Hold tickets for some time, to be confirmed or given up',
  request: {
    params: eventParams,
    body: { content: { 'application/json': { schema: holdBody } } },
  },
});

const bookWithLock = createRoute({
  ...booking,
  operationId: 'bookWithLock',
  method: 'post',
  path: '/book-with-lock/{event_id}',
  summary: 'Book under the queue lock, its token checked by Postgres',
  request: { params: eventParams, body },
});

const bookWithoutLock = createRoute({
  ...booking,
  operationId: 'bookWithoutLock',
  tags: ['lab'],
  method: 'post',
  path: '/book-no-lock/{event_id}',
  summary: 'Read, decide, write: the race',
  request: { params: eventParams, body },
});

const bookByStrategy = createRoute({
  ...booking,
  operationId: 'bookByStrategy',
  tags: ['lab'],
  method: 'post',
  path: '/book/{strategy}/{event_id}',
  summary: 'Book with any of the strategies',
  request: {
    params: eventParams.extend({ strategy: z.string().openapi({ enum: [...STRATEGY_NAMES] }) }),
    body,
  },
});

interface Marking {
  requestId: string;
  failpoint: Failpoint | undefined;
  headers: Record<string, string>;
}

export interface NewBookingDeps {
  access: Access;
  answers: Answers;
  strategies: Strategies;
  instanceId: string;
  labMode: boolean;
  raceWindowMs: number;
  log: Pick<ProblemLog, 'info'>;
  /** Of the request that is being answered; absent where no traces are made. */
  currentTrace?: (() => RequestTrace | undefined) | undefined;
}

export function newBookingRoutes(deps: NewBookingDeps) {
  const { access, answers, instanceId, labMode, log, strategies } = deps;
  const requestCount = labMode ? createRequestCount() : undefined;
  let inFlight = 0;

  return createRouter()
    .openapi(bookTickets, async (c) => {
      const { strategy = DEFAULT_STRATEGY } = c.req.valid('query');
      if (!labMode && c.req.valid('query').strategy !== undefined)
        throw labModeOff('The choice of a strategy');
      return answerBooking(c, strategyOf(strategy), c.req.valid('param').event_id, c.req.valid('json'));
    })
    .openapi(holdTickets, async (c) => {
      const { seconds, ...input } = c.req.valid('json');
      return answerBooking(c, strategyOf(DEFAULT_STRATEGY), c.req.valid('param').event_id, input, seconds);
    })
    .openapi(bookWithLock, async (c) =>
      answerBooking(c, strategyOf('fenced-lock'), c.req.valid('param').event_id, c.req.valid('json')),
    )
    .openapi({ ...bookWithoutLock, middleware: onlyInLab(labMode, 'Booking without a lock') }, async (c) =>
      answerBooking(c, strategyOf('no-lock'), c.req.valid('param').event_id, c.req.valid('json')),
    )
    .openapi({ ...bookByStrategy, middleware: onlyInLab(labMode, 'The choice of a strategy') }, async (c) => {
      const { strategy, event_id } = c.req.valid('param');
      return answerBooking(c, strategyOf(strategy), event_id, c.req.valid('json'));
    });

  function strategyOf(name: string): Strategy {
    const strategy = strategies.get(name);
    if (strategy !== undefined) return strategy;
    const detail = `There is no strategy "${name}". Choose one of: ${[...strategies.keys()].join(', ')}.`;
    throw new ProblemError({ code: 'strategy_not_found', detail });
  }

  async function answerBooking(
    c: Context<Env>,
    strategy: Strategy,
    eventId: number,
    { customer, quantity }: BookingInput,
    holdS: number | null = null,
  ) {
    const arrivedAtMs = c.get('arrivedAtMs');
    c.set('strategy', strategy.name);
    const deadlineMs = arrivedAtMs + REQUEST_DEADLINE_MS;
    const requestId = requestIdOf(c);
    const raceWindowMs = readRaceWindowMs(c, deps);
    const failpoint = readFailpoint(c, labMode);
    const idempotencyKey = readIdempotencyKey(c);
    const headers = countedAs(eventId);

    if (inFlight >= MAX_IN_FLIGHT) {
      const detail = `This instance has ${MAX_IN_FLIGHT} bookings under way; nothing was written.`;
      return answers.problem(c, { code: 'busy', detail, headers });
    }
    inFlight += 1;
    try {
      const { signal } = c.req.raw;
      const bookingId = randomUUIDv7();
      const request = {
        arrivedAtMs,
        bookingId,
        requestId: uuidOf(requestId),
        mayBeRepeated: mayBeRepeated(c, requestId),
        idempotencyKey,
        eventId,
        quantity,
        holdS,
        customer,
        raceWindowMs,
        deadlineMs,
        signal,
        trace: deps.currentTrace?.(),
      };
      const outcome = await markedIfAsked(c, { requestId, failpoint, headers }, async (onMark) =>
        book(strategy, { ...request, onMark }),
      );
      if (outcome.code === 'booked_before') {
        const replayed = idempotencyKey === null ? {} : { [IDEMPOTENCY_REPLAYED_HEADER]: 'true' };
        const { booking } = outcome;
        return answerBooked(c, booking, booking.firstExpiresAt, { ...headers, ...replayed });
      }
      if (outcome.code !== 'booked') {
        return answers.problem(c, { headers, ...refusalOf(outcome, { ...request, requestId }) });
      }
      const { fencingToken, expiresAt = null, allowanceLeft = null } = outcome;
      const made = { ...request, strategy: strategy.name, instanceId, fencingToken, allowanceLeft };
      return answerBooked(c, made, expiresAt, headers);
    } finally {
      inFlight -= 1;
    }
  }

  /** Adds the marks to the headers of the answer, and to the log as they are made; and strikes where a fault is asked for. */
  async function markedIfAsked<T>(
    c: Context<Env>,
    { requestId, failpoint, headers }: Marking,
    booking: (onMark?: OnMark) => Promise<T>,
  ): Promise<T> {
    const wantsMarks = labMode && c.req.header(MARKS_HEADER) !== undefined;
    if (!wantsMarks && failpoint === undefined) return booking();
    const marks: Mark[] = [];
    const striker =
      failpoint && createStriker(failpoint, () => log.info({ requestId, failpoint }, 'a failpoint strikes'));
    const onMark: OnMark = (made) => {
      marks.push(made);
      if (wantsMarks) log.info({ requestId, mark: made.name, atMs: made.atMs, value: made.value }, 'mark');
      return striker?.strikeAt(made);
    };
    return withMarks(onMark, async () => {
      try {
        await mark('arrived');
        const outcome = await booking(onMark);
        await mark('answered');
        if (wantsMarks) headers['server-timing'] = serverTimingOf(marks);
        return outcome;
      } finally {
        striker?.end();
      }
    });
  }

  function countedAs(eventId: number): Record<string, string> {
    return requestCount ? { [REQUEST_COUNT_HEADER]: requestCount.next(eventId) } : {};
  }

  /** As it was made, whatever has become of it since: a repeat gets the first answer. */
  function answerBooked(
    c: Context<Env>,
    booking: BookingToShow & { allowanceLeft?: number | null },
    expiresAt: Date | null,
    headers: Record<string, string>,
  ) {
    const view =
      expiresAt === null ? viewOf(booking) : viewWithState({ ...booking, state: 'held', expiresAt });
    const { bookingId, allowanceLeft = null } = booking;
    return answers.json(c, 201, allowanceLeft === null ? view : { ...view, allowanceLeft }, {
      location: `/bookings/${bookingId}`,
      [BOOKING_SECRET_HEADER]: access.secretOf(bookingId),
      ...headers,
    });
  }
}
