import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { healthView } from '#src/contract.ts';

import type { Answers } from './answer.ts';
import { problems } from './problem.ts';
import type { Env } from './read-input.ts';
import { createRouter } from './router.ts';

/** What keeps an instance from booking, and what told us so. */
export interface FailedCheck {
  what: string;
  cause?: unknown;
}

const healthy = { description: 'Yes.', content: { 'application/json': { schema: healthView } } };

const alive = createRoute({
  operationId: 'alive',
  tags: ['health'],
  method: 'get',
  path: '/livez',
  summary: 'Does the process run, and its event loop turn? Restart it only if this fails',
  responses: { 200: healthy, ...problems() },
});

const ready = createRoute({
  operationId: 'ready',
  tags: ['health'],
  method: 'get',
  path: '/readyz',
  summary: 'Can it book? Postgres and Redis answer, and it is not about to stop',
  responses: { 200: healthy, ...problems('not_ready') },
});

export interface HealthDeps {
  answers: Answers;
  instanceId: string;
  /** What keeps this instance from booking; empty when nothing does. Bounded in time. */
  failedChecks: () => Promise<FailedCheck[]>;
}

export function healthRoutes({ answers, failedChecks, instanceId }: HealthDeps) {
  const answerReady = async (c: Context<Env>) => {
    const failed = await failedChecks();
    if (failed.length > 0) {
      const detail = `${failed.map(({ what }) => what).join('; ')}.`;
      const causes = failed.flatMap(({ cause }) => (cause === undefined ? [] : [cause]));
      const cause = causes.length > 1 ? new AggregateError(causes, detail) : causes[0];
      return answers.problem(c, { code: 'not_ready', detail, cause });
    }
    return answers.json(c, 200, { status: 'ok' as const, instanceId });
  };

  return createRouter()
    .openapi(alive, async (c) => answers.json(c, 200, { status: 'ok' as const, instanceId }))
    .openapi(ready, async (c) => answerReady(c))
    .openapi(
      { ...ready, path: '/healthz' as const, operationId: 'healthy', summary: 'The same as /readyz' },
      async (c) => answerReady(c),
    );
}
