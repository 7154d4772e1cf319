import type { OutcomeCode } from '#src/contract.ts';

/** Those that a problem may have. */
export type ProblemStatus =
  | 400
  | 401
  | 403
  | 404
  | 405
  | 408
  | 409
  | 412
  | 413
  | 415
  | 417
  | 422
  | 429
  | 431
  | 500
  | 503
  | 504;

export interface ProblemKind {
  status: ProblemStatus;
  title: string;
  /** What it means for who asked, and what to do: the text of `/docs/problems/{code}`, which is the problem's type. */
  meaning: string;
  /** When to come back, in seconds. */
  retryAfterS?: number;
}

/**
 * Every way to say no: the code that a program reads, and what a person reads of it. Outcomes of bookings stand first;
 * a new outcome without a status does not compile.
 */
const kinds = {
  sold_out: {
    status: 409,
    title: 'Sold out',
    meaning:
      'Fewer tickets are left than were asked for, and nothing was booked. A smaller quantity may still fit, and a ' +
      'cancellation may bring some back.',
  },
  all_held: {
    status: 409,
    title: 'All held',
    meaning:
      'Not enough tickets are free, though not all are sold: some are held for somebody. Nothing was booked. ' +
      '`nextHoldEndsAt` tells when the next hold ends, if it is not confirmed, extended or given up before.',
  },
  not_on_sale: {
    status: 409,
    title: 'Not on sale',
    meaning:
      'The sale of this event has not begun, or is over, by the clock of Postgres. Nothing was booked. `salesOpenAt` tells ' +
      'when it opens, `salesCloseAt` when it closes, where there is such a moment. What was held before it closed can be ' +
      'confirmed all the same. This is asked before anything else of the event; then how many it sells at once, whether a ' +
      'customer is named, whether there are tickets, and at last what the customer has.',
  },
  limit_reached: {
    status: 409,
    title: 'More than one may have',
    meaning:
      'The event does not sell so many tickets at once: `maxPerBooking` tells how many. Or it does not sell so many to one ' +
      'customer: `allowanceLeft` tells how many more the customer can book. Nothing was booked. What a customer cancels, ' +
      'gives up or lets end counts no more.',
  },
  customer_required: {
    status: 422,
    title: 'A customer must be named',
    meaning:
      'The event limits what one customer has, and so does not sell to somebody without a name. Nothing was booked: say ' +
      'who the customer is.',
  },
  request_id_reused: {
    status: 409,
    title: 'Another request had this id',
    meaning:
      'A request with the same x-request-id has booked something else; nothing was booked. Give each request an id ' +
      'of its own, or none.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'Another request had this idempotency key',
    meaning:
      'A request of the same customer for the same event had this Idempotency-Key and asked for something else. ' +
      'Nothing was booked. Give each request that you mean a key of its own, and repeat it only as it was.',
  },
  idempotency_key_in_use: {
    status: 409,
    title: 'A request with this key is under way',
    meaning:
      'Its answer is not known yet. Ask again after Retry-After, with the same key: you get that answer.',
    retryAfterS: 1,
  },
  busy: {
    status: 503,
    title: 'Busy',
    meaning: 'There are too many others at this moment. Nothing was written: try again after Retry-After.',
    retryAfterS: 1,
  },
  event_not_found: {
    status: 404,
    title: 'No such event',
    meaning: 'There is no event with this id. GET /events lists those that there are.',
  },
  unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    meaning:
      'Postgres, Redis or every replica is out of reach. Nothing was written: try again after Retry-After.',
    retryAfterS: 2,
  },
  unknown: {
    status: 504,
    title: 'It is not known whether it was done',
    meaning:
      'The request was sent on and its answer lost: it may have been done, or still be done within some seconds. Look ' +
      'before you ask again: the detail names the address, for a booking GET /requests/{request_id}.',
  },

  invalid_input: {
    status: 400,
    title: 'Invalid input',
    meaning:
      'A parameter, header or field of the body is missing, wrong, given twice or not known. `errors` names each.',
  },
  invalid_json: { status: 400, title: 'Invalid JSON', meaning: 'The body is not JSON in UTF-8.' },
  bad_request: {
    status: 400,
    title: 'Bad request',
    meaning: 'This is not an HTTP/1.1 request, or it ended early.',
  },
  unauthorized: {
    status: 401,
    title: 'Not authorised',
    meaning:
      'This needs the token of an operator (Authorization: Bearer) or, for a booking, the secret that came with its answer ' +
      '(x-booking-secret). There was none, or one that is not known.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    meaning: 'The operator whose token this is may do other things, and not this one: the scope is missing.',
  },
  not_found: { status: 404, title: 'Not found', meaning: 'There is no such address, or it is closed here.' },
  strategy_not_found: {
    status: 404,
    title: 'No such strategy',
    meaning: 'No way to guard a booking has this name. GET /strategies lists those that there are.',
  },
  booking_not_found: {
    status: 404,
    title: 'No such booking',
    meaning:
      'There is no such booking, or not any more. One whose request was sent a few seconds ago may still come.',
  },
  lab_mode_off: {
    status: 404,
    title: 'Only in lab mode',
    meaning:
      'What could oversell or reset an event exists only where the service was started with LAB_MODE=on.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The address exists, and takes other methods: the header Allow names them.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    meaning: 'The headers or the body did not arrive in time. Nothing was done.',
  },
  hold_expired: {
    status: 409,
    title: 'The hold has ended',
    meaning:
      'Its time was over, by the clock of Postgres, before this arrived. Its tickets are free for anybody: hold them anew.',
  },
  not_held: {
    status: 409,
    title: 'It is not held any more',
    meaning: 'The hold was confirmed or cancelled before. GET /bookings/{booking_id} tells its state.',
  },
  hold_too_long: {
    status: 409,
    title: 'A hold does not last that long',
    meaning: 'A hold can be extended until an hour after its beginning. It still ends when it would have.',
  },
  below_booked: {
    status: 409,
    title: 'More tickets are booked or held than that',
    meaning:
      'The capacity of an event cannot be smaller than what is booked and held of it. Nothing was changed.',
  },
  changed_meanwhile: {
    status: 412,
    title: 'Changed meanwhile',
    meaning:
      'The event or hold is not any more what the header If-Match names: somebody has changed it. Nothing was changed. ' +
      'Get it again, and decide anew.',
  },
  body_too_large: {
    status: 413,
    title: 'Body too large',
    meaning: 'A body of this service has some hundred bytes.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    meaning: 'A body must be application/json in UTF-8, and its Content-Type must say so.',
  },
  expectation_failed: {
    status: 417,
    title: 'Expectation failed',
    meaning: 'The header Expect asks for something that nobody here can do.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    meaning:
      'From one address there come more requests than the proxy lets through. Nothing was done: try again after ' +
      'Retry-After, and more slowly.',
    retryAfterS: 1,
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    meaning: 'The headers of the request are too large, one of them or all together.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    meaning: 'A bug. The log of the instance that the answer names has a line with its request id.',
  },
  not_ready: {
    status: 503,
    title: 'Not ready',
    meaning: 'This instance cannot book now: it does not reach Postgres or Redis, or is about to stop.',
    retryAfterS: 1,
  },
  no_answer: {
    status: 504,
    title: 'No replica answered in time',
    meaning: 'The proxy got no answer to a request that changes nothing: ask again.',
    retryAfterS: 2,
  },
} satisfies Record<Exclude<OutcomeCode, 'booked'>, ProblemKind> & Record<string, ProblemKind>;

export type ProblemCode = keyof typeof kinds;

export function kindOf(code: ProblemCode): ProblemKind {
  return kinds[code];
}

export const problemCodes = Object.keys(kinds) as ProblemCode[];
