import type { Context } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';

import { kindOf } from './problem-kinds.ts';
import type { ProblemDetails } from './problem.ts';
import type { Env } from './read-input.ts';
import { requestIdOf } from './request-id.ts';

export type ProblemLog = Pick<Logger, 'error' | 'warn' | 'info'>;

/**
 * The one line of an answer of 500 and above, so that an outage is seen by whoever reads the log, and a buyer's request
 * found in it. A bug is an error; what something else has caused is a warning, and so is whatever nobody knows; what we
 * refuse by ourselves, such as a crowd beyond a limit, is news. Refusals below 500 are everyday business, and nothing is said.
 */
export function logProblem(log: ProblemLog, c: Context<Env>, problem: ProblemDetails): void {
  const { status } = kindOf(problem.code);
  if (status < 500) return;
  const { code, cause, detail, bookingId } = problem;
  const line = {
    requestId: requestIdOf(c),
    method: c.req.method,
    route: routePath(c),
    path: c.req.path,
    status,
    code,
    ...(bookingId === undefined ? {} : { bookingId }),
    ...(cause === undefined ? {} : { err: cause }),
  };
  if (code === 'internal') log.error(line, detail);
  else if (cause !== undefined || code === 'unknown') log.warn(line, detail);
  else log.info(line, detail);
}
