import { z } from '@hono/zod-openapi';

import { eventIdText, moment, plainText, wholeNumber } from './contract-fields.ts';

/**
 * The wire contract: what a client of the booking API may rely on. The schemas are what the service reads its input by
 * and what its OpenAPI document is made of. The load harness imports this file, the words of stock-findings.ts and the
 * types of client.ts, and nothing else of the service, so that it judges the service from outside.
 */

/** Names the process that answered; on every answer of a replica, errors included. */
export const INSTANCE_HEADER = 'x-instance-id';

/**
 * Names a request: 32 hex digits or a UUID. On every answer, errors included. The proxy makes one for each request and
 * lets no client's through; `GET /requests/{request_id}` finds the booking that the request made.
 */
export const REQUEST_ID_HEADER = 'x-request-id';

/**
 * Lab mode only, on the answer to a booking: `<counter>/<n>`, the n-th booking request for this event that the counter
 * of the answering process has seen. A gap among the answers is a request that somebody else sent, or one sent twice.
 */
export const REQUEST_COUNT_HEADER = 'x-request-count';

/**
 * Lab mode only, with any value: the answer tells in `Server-Timing` when its booking waited, held the lock, read, wrote and
 * committed, each as `name;dur=<milliseconds on the machine's monotonic clock>;desc="<value>"`; so does the replica's log.
 */
export const MARKS_HEADER = 'x-marks';

/**
 * Names what is to be booked once, however often it is sent: 1 to `MAX_IDEMPOTENCY_KEY` printable characters, chosen by
 * the client, good for one booking of an event and a customer. A repeat gets the first answer, with the header
 * `IDEMPOTENCY_REPLAYED_HEADER`, also after a cancellation; a refusal is not remembered. The answer has the booking's secret,
 * so that a key is to be one that nobody guesses.
 */
export const IDEMPOTENCY_KEY_HEADER = 'idempotency-key';
export const IDEMPOTENCY_REPLAYED_HEADER = 'idempotency-replayed';
export const MAX_IDEMPOTENCY_KEY = 255;

/**
 * Names the secret of a booking, in the answer to whoever booked it: with it the buyer sees and cancels the booking. A
 * request shows it in the same header.
 */
export const BOOKING_SECRET_HEADER = 'x-booking-secret';

/** What nginx names itself in the answers that it gives in place of a replica. */
export const PROXY_INSTANCE_ID = 'nginx';

/** A request of unknown end may be booked this long after a replica has taken it, and no longer. */
export { BOOKED_WITHIN_MS } from './time-limits.ts';

/** Lab mode only: milliseconds that a booking waits between its read and its write, so that a race is certain. */
export const RACE_WINDOW_HEADER = 'x-race-window-ms';

/** The longest race window. Long enough to outlive a lease in a demonstration, too short to pin a replica. */
export const MAX_RACE_WINDOW_MS = 5_000;

/**
 * Lab mode only: a fault that strikes the replica exactly when this booking comes to a step: `<step>=exit` ends the process
 * as by SIGKILL, `<step>=block:<ms>` stops all of it for so long, `<step>=pause:<ms>` holds up this booking alone. With an
 * `IDEMPOTENCY_KEY_HEADER` nginx asks the next replica after one that is gone, and strikes that one too.
 */
export const FAILPOINT_HEADER = 'x-failpoint';

/** The steps, in the order in which most strategies come to them. Those that make no use of a step pass it by. */
export const FAILPOINT_STEPS = [
  'arrived',
  'waits',
  'holds',
  'reads',
  'read',
  'writes',
  'written',
  'commits',
  'committed',
  'released',
  'answered',
] as const;

export type FailpointStep = (typeof FAILPOINT_STEPS)[number];

/** The longest fault: longer than nginx waits for an answer, and than any lease. */
export const MAX_FAILPOINT_MS = 30_000;

/** Tickets in one booking: 1 up to this. A larger order is several bookings. */
export const MAX_QUANTITY = 100;

/** Tickets of one event: 0 up to this. */
export const MAX_CAPACITY = 1_000_000;

/** Every way to guard a booking that the service knows. */
export const STRATEGY_NAMES = [
  'no-lock',
  'simple-lock',
  'fenced-lock',
  'quorum-lock',
  'batched-lock',
  'batched-update',
  'atomic-update',
  'row-lock',
  'optimistic',
  'serializable',
  'advisory-lock',
] as const;

export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** `held` until its end; then `expired`, unless it is `confirmed` or `cancelled` before. */
export const BOOKING_STATES = ['held', 'confirmed', 'cancelled', 'expired'] as const;

export type BookingState = (typeof BOOKING_STATES)[number];

/** A hold lasts so long unless it says otherwise: long enough to pay. */
export const DEFAULT_HOLD_S = 120;

/** Whoever needs longer extends it, and shows by that that there is still somebody. */
export const MAX_HOLD_S = 900;

/** From its beginning to its end, however often it is extended: longer is a way to keep others from buying. */
export const MAX_HOLD_TOTAL_S = 3_600;

/** Those whose bookings are made under a fencing token, which stands in the booking and never falls. */
export const FENCED_STRATEGIES: readonly string[] = ['fenced-lock', 'quorum-lock', 'batched-lock'];

/**
 * How a booking request can end.
 *
 * - `booked`: committed to Postgres.
 * - `sold_out`: fewer tickets left than asked for; nothing was written.
 * - `all_held`: there would be enough if holds end; nothing was written.
 * - `not_on_sale`: the event is not on sale yet, or not any more; nothing was written.
 * - `limit_reached`: more than the event sells at once, or to one customer; nothing was written.
 * - `customer_required`: the event counts what each customer has, and none was named; nothing was written.
 * - `busy`: the guard was not obtained in time, or a queue was full; nothing was written, try again.
 * - `event_not_found`: there is no such event.
 * - `unavailable`: a server behind the API is out of reach; nothing was written.
 * - `unknown`: the commit was sent and its answer lost, and looking it up failed too; it may have been booked.
 */
export type OutcomeCode =
  | 'booked'
  | 'sold_out'
  | 'all_held'
  | 'not_on_sale'
  | 'limit_reached'
  | 'customer_required'
  | 'busy'
  | 'event_not_found'
  | 'unavailable'
  | 'unknown';

export const eventParams = z.object({ event_id: eventIdText() });

export const bookingParams = z.object({ booking_id: z.string().openapi({ format: 'uuid' }) });

/** Who books without a name. Nobody in particular: no limit counts what such bookings have. */
export const ANONYMOUS = 'anonymous';

/**
 * Body of every booking route: JSON in UTF-8; a byte order mark is ignored. All of it may be left out: then one ticket
 * for an unnamed customer.
 */
export const bookingBody = z
  .strictObject({
    customer: plainText(200).default(ANONYMOUS),
    quantity: wholeNumber(1, MAX_QUANTITY).default(1).openapi({ description: 'Booked whole or not at all.' }),
  })
  .openapi('BookingBody');

export type BookingBody = z.input<typeof bookingBody>;

/** The same with what was left out. */
export type BookingInput = z.output<typeof bookingBody>;

/** 201 of every booking route, `GET /bookings/{id}`, and `DELETE /bookings/{id}`, which tells what was taken back. */
export const bookingView = z
  .object({
    bookingId: z.string().openapi({ format: 'uuid', description: 'UUID v7, made before the transaction.' }),
    eventId: z.int(),
    customer: z.string().nullable().openapi({
      description: 'Null for who shows neither the secret of the booking nor the token of an operator.',
    }),
    quantity: z.int(),
    strategy: z.enum(STRATEGY_NAMES),
    instanceId: z
      .string()
      .openapi({ description: `The replica that booked it, as in \`${INSTANCE_HEADER}\`.` }),
    fencingToken: z.int().nullable().openapi({
      description: 'Fencing token that the booking was made under; null for strategies without one.',
    }),
    state: z.enum(BOOKING_STATES).optional().openapi({
      description: 'Of a hold, and wherever a booking is looked at. What is booked is `confirmed`.',
    }),
    expiresAt: z
      .string()
      .optional()
      .openapi({ format: 'date-time', description: 'When the hold ends, by the clock of Postgres.' }),
    allowanceLeft: z
      .int()
      .optional()
      .openapi({
        description:
          'In the answer to a booking or a hold, where the event has a `maxPerCustomer`: how many more tickets its ' +
          'customer could book then.',
      }),
  })
  .openapi('Booking');

export type BookingView = z.infer<typeof bookingView>;

const seconds = () => wholeNumber(1, MAX_HOLD_S);

/** Of `POST /events/{id}/holds`. */
export const holdBody = bookingBody
  .extend({ seconds: seconds().default(DEFAULT_HOLD_S).openapi({ description: 'For how long.' }) })
  .openapi('HoldBody');

/** Of `PATCH /holds/{id}`. */
export const holdChangeBody = z
  .strictObject({
    seconds: seconds().openapi({ description: 'From now on. A hold never ends sooner than it would have.' }),
  })
  .openapi('HoldChangeBody');

const limit = (max: number) => wholeNumber(1, max).nullable().optional();

export const eventBody = z
  .strictObject({
    name: plainText(200),
    capacity: wholeNumber(0, MAX_CAPACITY),
    honoursLatePayment: z.boolean('must be true or false').optional().openapi({
      description:
        'Whether a hold that has ended can be confirmed while there are tickets; false by default.',
    }),
    salesOpenAt: moment().nullable().optional().openapi({
      description: 'Nothing is sold before, by the clock of Postgres. Null, as by default: no such limit.',
    }),
    salesCloseAt: moment().nullable().optional().openapi({
      description: 'Nothing is sold from then on. What is held by then can still be confirmed.',
    }),
    maxPerBooking: limit(MAX_QUANTITY).openapi({ description: 'Tickets in one booking or hold, at most.' }),
    maxPerCustomer: limit(MAX_CAPACITY).openapi({
      description:
        'Tickets that one customer has, at most: confirmed, or held and not ended. A cancelled or ended one counts no ' +
        `more. Whoever books names a customer then, other than \`${ANONYMOUS}\`.`,
    }),
  })
  .openapi('EventBody');

export const eventChangeBody = eventBody
  .partial()
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'give something to change')
  .openapi('EventChangeBody');

/**
 * `GET /events/{event_id}`, and each element of `GET /events`. Read from Postgres, never from a cache, by a read that
 * began after the request arrived.
 */
export const eventView = z
  .object({
    id: z.int(),
    name: z.string(),
    capacity: z.int(),
    available: z.int().openapi({
      description: 'What the counter says is left: never below 0 and never above `capacity`.',
    }),
    booked: z.int().openapi({
      description:
        'In lab mode, tickets in confirmed booking rows of this epoch. Elsewhere, and in answers to changes, what the ' +
        'counter says: `capacity - available - held`.',
    }),
    held: z.int().openapi({
      description: 'Tickets in holds that have not ended. Those of ended ones are among the `available`.',
    }),
    oversold: z.int().openapi({
      description:
        'Booked tickets beyond `capacity`. The counter knows of none: outside lab mode `make audit` finds them.',
    }),
    honoursLatePayment: z.boolean().optional().openapi({ description: 'Left out if it does not.' }),
    salesOpenAt: z
      .string()
      .optional()
      .openapi({ format: 'date-time', description: 'As it was set, if it was.' }),
    salesCloseAt: z.string().optional().openapi({ format: 'date-time' }),
    maxPerBooking: z.int().optional(),
    maxPerCustomer: z.int().optional(),
  })
  .openapi('Event');

export type EventView = z.infer<typeof eventView>;

/**
 * What a strategy promises: `none` it oversells under concurrency; `while-lease-held` exact unless a holder is paused
 * for longer than its lease; `always` never oversells, whichever others with this promise book the same event. The
 * first two write back what they have read, and with it destroy what anybody else has booked meanwhile: beside them
 * nothing can be promised.
 */
const guarantee = z.enum(['none', 'while-lease-held', 'always']);

export type Guarantee = z.infer<typeof guarantee>;

/** Each element of `GET /strategies`: the service's own. */
export const strategyView = z
  .object({
    name: z.enum(STRATEGY_NAMES),
    guarantee,
    holdsBeside: z.array(z.enum(STRATEGY_NAMES)).openapi({
      description: 'The guarantee holds as long as nothing else books the same event.',
    }),
    guardsWith: z.string(),
    breaksWhen: z.string(),
    costs: z.string(),
    isDefault: z.boolean().openapi({ description: 'The strategy that books when a request names none.' }),
    available: z.boolean().openapi({
      description:
        'Whether this instance offers it now: unsafe ones need lab mode, the quorum lock needs its servers.',
    }),
    retries: z.int().openapi({
      description: 'Attempts that this instance has had to repeat: conflicts, refused tokens.',
    }),
  })
  .openapi('Strategy');

export type StrategyView = z.infer<typeof strategyView>;

/** 200 of the probes. */
export const healthView = z.object({ status: z.literal('ok'), instanceId: z.string() }).openapi('Health');

/** RFC 9457 problem details; every answer of 400 and above has this body and `application/problem+json`. */
export const problemBody = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'What is wrong and how to mend it.' }),
    code: z.string().openapi({
      description: 'Stable machine-readable code: an outcome code or the kind of bad input.',
    }),
    errors: z
      .array(z.object({ field: z.string(), detail: z.string() }))
      .optional()
      .openapi({ description: 'For a 400: the offending fields, each with what is wrong with it.' }),
    instanceId: z.string(),
    requestId: z.string().openapi({
      description: `As in \`${REQUEST_ID_HEADER}\`. With \`unknown\`: ask \`GET /requests/{request_id}\` before trying again.`,
    }),
    bookingId: z
      .string()
      .optional()
      .openapi({ description: 'With `unknown`: the booking that it may have become.' }),
    nextHoldEndsAt: z
      .string()
      .optional()
      .openapi({ format: 'date-time', description: 'With `all_held`: when the next of the holds ends.' }),
    salesOpenAt: z
      .string()
      .optional()
      .openapi({ format: 'date-time', description: 'With `not_on_sale`: when the sale opens, if it will.' }),
    salesCloseAt: z
      .string()
      .optional()
      .openapi({ format: 'date-time', description: 'With `not_on_sale`: when the sale closed, if it has.' }),
    maxPerBooking: z.int().optional().openapi({
      description: 'With `limit_reached`: what the event sells at once, if that is what was exceeded.',
    }),
    allowanceLeft: z.int().optional().openapi({
      description: 'With `limit_reached`: how many more tickets the customer can book.',
    }),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof problemBody>;
