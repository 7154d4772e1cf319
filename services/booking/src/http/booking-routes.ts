import { randomUUIDv7 } from 'node:crypto';

import type { Context, Hono } from 'hono';
import { z } from 'zod';

import { book } from '#src/booking/book.ts';
import { cancel } from '#src/booking/cancel.ts';
import { DEFAULT_STRATEGY } from '#src/booking/registry.ts';
import type { Strategy } from '#src/booking/strategy.ts';
import {
  type BookingView,
  MAX_QUANTITY,
  REQUEST_COUNT_HEADER,
  STRATEGY_NAMES,
  type StrategyName,
} from '#src/contract.ts';
import { findBooking, findBookingsOfRequests, type StoredBooking } from '#src/storage/bookings.ts';
import { CANCELLED_EPOCH } from '#src/storage/schema.ts';
import { BOOKED_WITHIN_MS, REQUEST_DEADLINE_MS } from '#src/time-limits.ts';

import type { RouteDeps } from './app.ts';
import { assertMayChange } from './may-change.ts';
import { guardAgainstOutage } from './outage.ts';
import { ProblemError } from './problem.ts';
import {
  type Env,
  labModeOff,
  plainText,
  readEventId,
  readJson,
  readQuery,
  readRaceWindowMs,
  wholeNumber,
} from './read-input.ts';
import { refusalOf } from './refusal.ts';
import { createRequestCount } from './request-count.ts';
import { isRequestId, mayBeRepeated, requestIdOf, uuidOf } from './request-id.ts';

/**
 * Bookings under way in one replica. Each holds a socket, a body and a place in a queue; a crowd beyond this is told
 * to come back, which it can act on, rather than to wait for an answer that comes too late.
 */
const MAX_IN_FLIGHT = 4_096;

export const bookingBody = z.strictObject({
  customer: plainText(200).default('anonymous'),
  quantity: wholeNumber(1, MAX_QUANTITY).default(1),
});

export function addBookingRoutes(app: Hono<Env>, deps: RouteDeps): void {
  const { answers, db, instanceId, labMode, reads, strategies } = deps;
  const requestCount = labMode ? createRequestCount() : undefined;
  let inFlight = 0;

  /** Lab routes do not even tell a stranger whether their parameters are well formed. */
  const onlyInLab = (what: string) => {
    if (!labMode) throw labModeOff(what);
  };

  app.post('/book-no-lock/:event_id', (c) => {
    onlyInLab('Booking without a lock');
    readQuery(c);
    return answerBooking(c, strategyOf('no-lock'));
  });

  app.post('/book-with-lock/:event_id', (c) => {
    readQuery(c);
    return answerBooking(c, strategyOf('fenced-lock'));
  });

  app.post('/events/:event_id/bookings', (c) => {
    const { strategy: chosen } = readQuery(c, 'strategy');
    if (chosen !== undefined) onlyInLab('The choice of a strategy');
    return answerBooking(c, strategyOf(chosen ?? DEFAULT_STRATEGY));
  });

  app.post('/book/:strategy/:event_id', (c) => {
    onlyInLab('The choice of a strategy');
    readQuery(c);
    return answerBooking(c, strategyOf(c.req.param('strategy')));
  });

  app.get('/bookings/:booking_id', async (c) => {
    readQuery(c);
    const id = c.req.param('booking_id');
    const booking = isUuid(id) ? await guardAgainstOutage(() => findBooking(reads, id)) : undefined;
    return answerFound(c, id, booking);
  });

  /** What a request has come to whose answer was lost. */
  app.get('/requests/:request_id', async (c) => {
    readQuery(c);
    const id = c.req.param('request_id');
    if (isRequestId(id)) {
      const requestId = uuidOf(id);
      const found = await guardAgainstOutage(() => findBookingsOfRequests(reads, [requestId]));
      const booking = found.get(requestId);
      if (booking !== undefined && booking.epoch !== CANCELLED_EPOCH) {
        return answers.json(c, 200, viewOf(booking));
      }
    }
    const detail =
      `There is no booking of a request ${id}. ` +
      `One that was sent less than ${Math.ceil(BOOKED_WITHIN_MS / 1_000)} s ago may still make one.`;
    throw new ProblemError({ code: 'booking_not_found', detail });
  });

  /** Takes a booking back, whoever made it. The answer is what was taken back; a second time there is none. */
  app.delete('/bookings/:booking_id', async (c) => {
    const deadlineMs = performance.now() + REQUEST_DEADLINE_MS;
    assertMayChange(c, deps);
    readQuery(c);
    const id = c.req.param('booking_id');
    const whereToLook = `GET /bookings/${id} tells whether the booking still stands`;
    const cancelled = isUuid(id)
      ? await guardAgainstOutage(() => findAndCancel(id, deadlineMs), whereToLook)
      : undefined;
    return answerFound(c, id, cancelled);
  });

  async function findAndCancel(id: string, deadlineMs: number): Promise<StoredBooking | undefined> {
    const booking = await findBooking(db, id);
    return booking !== undefined && (await cancel(db, booking, deadlineMs)) ? booking : undefined;
  }

  function answerFound(c: Context<Env>, id: string, booking: StoredBooking | undefined): Response {
    if (booking === undefined) {
      throw new ProblemError({ code: 'booking_not_found', detail: `There is no booking ${id}.` });
    }
    return answers.json(c, 200, viewOf(booking));
  }

  function answerBooked(
    c: Context<Env>,
    booking: Omit<StoredBooking, 'requestId' | 'epoch'>,
    headers: Record<string, string>,
  ): Response {
    return answers.json(c, 201, viewOf(booking), { location: `/bookings/${booking.bookingId}`, ...headers });
  }

  function strategyOf(name: string): Strategy {
    const strategy = strategies.get(name);
    if (strategy !== undefined) return strategy;
    const detail = `There is no strategy "${name}". Choose one of: ${STRATEGY_NAMES.join(', ')}.`;
    throw new ProblemError({ code: 'strategy_not_found', detail });
  }

  function countedAs(eventId: number): Record<string, string> {
    return requestCount ? { [REQUEST_COUNT_HEADER]: requestCount.next(eventId) } : {};
  }

  async function answerBooking(c: Context<Env>, strategy: Strategy): Promise<Response> {
    const arrivedAtMs = performance.now();
    const deadlineMs = arrivedAtMs + REQUEST_DEADLINE_MS;
    const requestId = requestIdOf(c);
    const eventId = readEventId(c.req.param('event_id'));
    const raceWindowMs = readRaceWindowMs(c, deps);
    const { customer, quantity } = await readJson(c, bookingBody);

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
        eventId,
        quantity,
        customer,
        raceWindowMs,
        deadlineMs,
        signal,
      };
      const outcome = await book(strategy, request);
      if (outcome.code === 'booked_before') return answerBooked(c, outcome.booking, headers);
      if (outcome.code !== 'booked') {
        return answers.problem(c, { ...refusalOf(outcome, { ...request, requestId }), headers });
      }
      const { fencingToken } = outcome;
      return answerBooked(c, { ...request, strategy: strategy.name, instanceId, fencingToken }, headers);
    } finally {
      inFlight -= 1;
    }
  }
}

function viewOf(booking: Omit<StoredBooking, 'requestId' | 'epoch'>): BookingView {
  const { bookingId, eventId, customer, quantity, strategy, instanceId, fencingToken } = booking;
  return {
    bookingId,
    eventId,
    customer,
    quantity,
    strategy: strategy as StrategyName,
    instanceId,
    fencingToken,
  };
}

function isUuid(text: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
}
