import type { Context, Hono } from 'hono';

import type { RouteDeps } from './app.ts';
import { type Env, readQuery } from './read-input.ts';

/** What keeps an instance from booking, and what told us so. */
export interface Obstacle {
  what: string;
  cause?: unknown;
}

export function addHealthRoutes(app: Hono<Env>, { answers, findObstacles, instanceId }: RouteDeps): void {
  /** The process runs and its event loop turns: restart it only if this fails. */
  app.get('/livez', (c) => {
    readQuery(c);
    return answers.json(c, 200, { status: 'ok', instanceId });
  });

  /** It can book: Postgres and Redis answer, and it is not about to stop. */
  const answerReady = async (c: Context<Env>) => {
    readQuery(c);
    const obstacles = await findObstacles();
    if (obstacles.length > 0) {
      const detail = `${obstacles.map(({ what }) => what).join('; ')}.`;
      const causes = obstacles.flatMap(({ cause }) => (cause === undefined ? [] : [cause]));
      const cause = causes.length > 1 ? new AggregateError(causes, detail) : causes[0];
      return answers.problem(c, { code: 'not_ready', detail, cause });
    }
    return answers.json(c, 200, { status: 'ok', instanceId });
  };
  app.get('/readyz', answerReady);
  app.get('/healthz', answerReady);
}
