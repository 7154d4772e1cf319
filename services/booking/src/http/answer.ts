import type { Context } from 'hono';

import { INSTANCE_HEADER, REQUEST_ID_HEADER } from '#src/contract.ts';

import { logProblem, type ProblemLog } from './log-problem.ts';
import { type ProblemDetails, renderProblem } from './problem.ts';
import type { Env } from './read-input.ts';
import { requestIdOf } from './request-id.ts';

/**
 * All answers are made here, each with the instance that made it and the request that it answers. They are built from
 * plain header objects because that is what @hono/node-server writes without a detour over `Headers`.
 */
export interface Answers {
  json(c: Context<Env>, status: number, body: unknown, headers?: Record<string, string>): Response;
  problem(c: Context<Env>, problem: ProblemDetails): Response;
}

export function createAnswers(instanceId: string, log: ProblemLog): Answers {
  return {
    json: (c, status, body, headers) =>
      new Response(JSON.stringify(body), {
        status,
        headers: {
          'content-type': 'application/json',
          [INSTANCE_HEADER]: instanceId,
          [REQUEST_ID_HEADER]: requestIdOf(c),
          ...headers,
        },
      }),
    problem(c, problem) {
      logProblem(log, c, problem);
      const { body, ...init } = renderProblem(problem, { instanceId, requestId: requestIdOf(c) });
      return new Response(body, init);
    },
  };
}
