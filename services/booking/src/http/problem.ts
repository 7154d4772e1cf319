import { INSTANCE_HEADER, type Problem, problemBody, REQUEST_ID_HEADER } from '#src/contract.ts';

import { kindOf, type ProblemCode, type ProblemStatus } from './problem-kinds.ts';

type Common = Pick<Problem, 'type' | 'title' | 'status' | 'code' | 'detail' | 'instanceId' | 'requestId'>;

/** What a particular problem adds to its kind. */
export interface ProblemDetails extends Partial<Omit<Problem, keyof Common>> {
  code: ProblemCode;
  detail: string;
  headers?: Record<string, string>;
  /** What has led to it: for the log, and not for who asked. */
  cause?: unknown;
}

type ProblemResponse = {
  description: string;
  content: { 'application/problem+json': { schema: typeof problemBody } };
};

/** Any route may be asked for something that it does not take, and may have a bug; or no replica is there to ask. */
const EVERYWHERE: readonly ProblemCode[] = [
  'invalid_input',
  'bad_request',
  'too_many_requests',
  'internal',
  'unavailable',
];

/** Of every route that only operators may ask, where there are some. */
export const FOR_OPERATORS: readonly ProblemCode[] = ['unauthorized', 'forbidden', 'not_found'];

/** Of every route that takes a body. */
export const IN_BODY: readonly ProblemCode[] = ['invalid_json', 'body_too_large', 'unsupported_media_type'];

/** What the document tells of the problems of a route. */
export function problems(...codes: readonly ProblemCode[]): Record<ProblemStatus, ProblemResponse> {
  const byStatus = Map.groupBy([...EVERYWHERE, ...codes], (code) => kindOf(code).status);
  const responses = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `${kindOf(code).title} (\`${code}\`).`).join(' '),
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

export function bookingNotFound(id: string): ProblemError {
  return new ProblemError({ code: 'booking_not_found', detail: `There is no booking ${id}.` });
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
  const { status, title, retryAfterS } = kindOf(code);
  const problem: Problem = {
    type: `/docs/problems/${code}`,
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
