import { INSTANCE_HEADER } from '#src/contract.ts';

import { type ProblemDetails, renderProblem } from './problem.ts';

/**
 * All answers are made here, each with the instance that made it. They are built from plain header objects because
 * that is what @hono/node-server writes without a detour over `Headers`.
 */
export interface Answers {
  json(status: number, body: unknown, headers?: Record<string, string>): Response;
  problem(problem: ProblemDetails): Response;
}

export function createAnswers(instanceId: string): Answers {
  return {
    json: (status, body, headers) =>
      new Response(JSON.stringify(body), {
        status,
        headers: { 'content-type': 'application/json', [INSTANCE_HEADER]: instanceId, ...headers },
      }),
    problem(problem) {
      const { status, headers, body } = renderProblem(problem, instanceId);
      return new Response(body, { status, headers: { ...headers, [INSTANCE_HEADER]: instanceId } });
    },
  };
}
