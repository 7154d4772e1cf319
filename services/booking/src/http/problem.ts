import {
  INSTANCE_HEADER,
  type OutcomeCode,
  type Problem,
  problemBody,
  REQUEST_ID_HEADER,
} from '#src/contract.ts';

/**
 * Every way to say no: the code that a program reads, the status and the title. Outcomes of bookings stand first; a
 * new outcome without a status does not compile.
 */
const kinds = {
  sold_out: { status: 409, title: 'Sold out' },
  request_id_reused: { status: 409, title: 'Another request had this id' },
  idempotency_key_reused: { status: 422, title: 'Another request had this idempotency key' },
  idempotency_key_in_use: { status: 409, title: 'A request with this key is under way', retryAfterS: 1 },
  busy: { status: 503, title: 'Busy', retryAfterS: 1 },
  event_not_found: { status: 404, title: 'No such event' },
  unavailable: { status: 503, title: 'Temporarily unavailable', retryAfterS: 2 },
  unknown: { status: 504, title: 'It is not known whether it was done' },

  invalid_input: { status: 400, title: 'Invalid input' },
  invalid_json: { status: 400, title: 'Invalid JSON' },
  bad_request: { status: 400, title: 'Bad request' },
  unauthorized: { status: 401, title: 'Not authorised' },
  not_found: { status: 404, title: 'Not found' },
  strategy_not_found: { status: 404, title: 'No such strategy' },
  booking_not_found: { status: 404, title: 'No such booking' },
  lab_mode_off: { status: 404, title: 'Only in lab mode' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  below_booked: { status: 409, title: 'More tickets are booked than that' },
  body_too_large: { status: 413, title: 'Body too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  expectation_failed: { status: 417, title: 'Expectation failed' },
  headers_too_large: { status: 431, title: 'Headers too large' },
  internal: { status: 500, title: 'Internal error' },
  not_ready: { status: 503, title: 'Not ready', retryAfterS: 1 },
} satisfies Record<Exclude<OutcomeCode, 'booked'>, ProblemKind> & Record<string, ProblemKind>;

/** Those that a problem may have. */
export type ProblemStatus = 400 | 401 | 404 | 405 | 408 | 409 | 413 | 415 | 417 | 422 | 431 | 500 | 503 | 504;

interface ProblemKind {
  status: ProblemStatus;
  title: string;
  /** When to come back, in seconds. */
  retryAfterS?: number;
}

export type ProblemCode = keyof typeof kinds;

/** What a particular problem adds to its kind. */
export interface ProblemDetails extends Partial<Pick<Problem, 'errors' | 'bookingId'>> {
  code: ProblemCode;
  detail: string;
  headers?: Record<string, string>;
  /** What has led to it: for the log, and not for who asked. */
  cause?: unknown;
}

export function statusOf(code: ProblemCode): ProblemStatus {
  return kinds[code].status;
}

type ProblemResponse = {
  description: string;
  content: { 'application/problem+json': { schema: typeof problemBody } };
};

/** What the document tells of the problems of a route. */
export function problems(...codes: readonly ProblemCode[]): Record<ProblemStatus, ProblemResponse> {
  const byStatus = Map.groupBy(['invalid_input', 'internal', ...codes] as const, statusOf);
  const responses = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\`: ${kinds[code].title}.`).join(' '),
      content: { 'application/problem+json': { schema: problemBody } },
    },
  ]);
  // Of the others a route has none. The types name all, so that each handler may answer with any problem.
  return Object.fromEntries(responses) as Record<ProblemStatus, ProblemResponse>;
}

/** Ends a handler early; the app's error handler turns it into its answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: ProblemDetails;

  constructor(problem: ProblemDetails) {
    super(problem.detail);
    this.problem = problem;
  }
}

export function eventNotFound(id: number): ProblemError {
  return new ProblemError({ code: 'event_not_found', detail: `There is no event ${id}.` });
}

export function invalidInput(errors: NonNullable<Problem['errors']>): ProblemError {
  const detail = errors.map(({ field, detail }) => `${field}: ${detail}`).join('; ');
  return new ProblemError({ code: 'invalid_input', detail, errors });
}

/** The answer as parts, for those who have no `Response` to give it to. */
export function renderProblem(
  given: ProblemDetails,
  { instanceId, requestId }: Pick<Problem, 'instanceId' | 'requestId'>,
): { status: ProblemStatus; headers: Record<string, string>; body: string } {
  const { code, headers, cause: _, ...details } = given;
  const { status, title, retryAfterS }: ProblemKind = kinds[code];
  const problem: Problem = {
    type: `urn:lastseat:problem:${code}`,
    title,
    status,
    code,
    ...details,
    instanceId,
    requestId,
  };
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      [INSTANCE_HEADER]: instanceId,
      [REQUEST_ID_HEADER]: requestId,
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}
