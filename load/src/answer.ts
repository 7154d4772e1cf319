import {
  INSTANCE_HEADER,
  REQUEST_COUNT_HEADER,
  REQUEST_ID_HEADER,
  type BookingView,
  type OutcomeCode,
} from '@lastseat/booking/contract';

/** An outcome of the service, or, for an answer that names none (a 502 of nginx), its bare status. */
export type AnswerCode = OutcomeCode | `http_${number}`;

/** What came back over the wire, reduced to what the checks and the tables need. */
export interface Answer {
  /** On the clock of `performance.now()`. */
  receivedAtMs: number;
  status: number;
  code: AnswerCode;
  /** From the `x-instance-id` header; null if the answer has none. */
  instanceId: string | null;
  /** From the body, which must name the same instance as the header. */
  instanceIdInBody: string | null;
  /** From the `x-request-id` header, written as a UUID: what an answer that says nothing can be looked up by. */
  requestId: string | null;
  /** From the `x-request-count` header: which request of the event this was to the process that answered. */
  count: { counter: string; n: number } | null;
  /** Of a 201; null if its body is not a booking. */
  booking: BookingView | null;
  retryAfterMs: number | null;
  /** The marks of its booking, as they stand in `Server-Timing`; null unless they were asked for. */
  serverTiming: string | null;
}

export function readAnswer(
  status: number,
  body: string,
  headers: Record<string, unknown>,
  receivedAtMs: number,
): Answer {
  const content = parseObject(body);
  const booking = status === 201 ? asBooking(content) : null;
  const instanceId = headerValue(headers, INSTANCE_HEADER);
  const retryAfterS = Number(headerValue(headers, 'retry-after') ?? Number.NaN);
  return {
    receivedAtMs,
    status,
    code: codeOf(status, content),
    instanceId,
    instanceIdInBody: typeof content['instanceId'] === 'string' ? content['instanceId'] : null,
    requestId: asUuid(headerValue(headers, REQUEST_ID_HEADER)),
    count: asCount(headerValue(headers, REQUEST_COUNT_HEADER)),
    booking,
    retryAfterMs: Number.isFinite(retryAfterS) ? retryAfterS * 1000 : null,
    serverTiming: headerValue(headers, 'server-timing'),
  };
}

// The status decides what was booked and the body's code only names a refusal: a 409 that says `booked` is no
// booking, and a 500 that says `sold_out` is no proper refusal.
const STATUS_OF: Record<Exclude<OutcomeCode, 'booked' | 'unknown'>, number> = {
  sold_out: 409,
  all_held: 409,
  not_on_sale: 409,
  limit_reached: 409,
  customer_required: 422,
  busy: 503,
  unavailable: 503,
  event_not_found: 404,
};

function codeOf(status: number, content: Record<string, unknown>): AnswerCode {
  if (status === 201) return 'booked';
  const code = typeof content['code'] === 'string' ? content['code'] : '';
  // Whatever the status, somebody who does not know cannot be held to have said more.
  if (code === 'unknown' && status >= 500) return 'unknown';
  return isRefusal(code) && STATUS_OF[code] === status ? code : `http_${status}`;
}

function isRefusal(code: string): code is keyof typeof STATUS_OF {
  return Object.hasOwn(STATUS_OF, code);
}

function asBooking(content: Record<string, unknown>): BookingView | null {
  return typeof content['bookingId'] === 'string' ? (content as unknown as BookingView) : null;
}

/** nginx writes the same id without hyphens. */
export function asUuid(id: string | null): string | null {
  const digits = id?.replaceAll('-', '').toLowerCase() ?? '';
  if (!/^[\da-f]{32}$/.test(digits)) return null;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function asCount(text: string | null): Answer['count'] {
  const [, counter, n] = /^(.+)\/(\d+)$/.exec(text ?? '') ?? [];
  return counter === undefined ? null : { counter, n: Number(n) };
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

// The client hands the headers over as they were written on the wire, whatever their case.
function headerValue(headers: Record<string, unknown>, name: string): string | null {
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name && typeof value === 'string') return value;
  }
  return null;
}
