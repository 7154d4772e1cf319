import { type AccessDeps, createAccess } from './access.ts';
import { createAnswers, type OnAnswer } from './answer.ts';
import { type BookingListDeps, bookingListRoutes } from './booking-list-routes.ts';
import { type BookingDeps, bookingRoutes } from './booking-routes.ts';
import { docsRoutes } from './docs-routes.ts';
import { documentOf } from './document.ts';
import { type EventDeps, eventRoutes } from './event-routes.ts';
import { type HealthDeps, healthRoutes } from './health-routes.ts';
import { type HoldDeps, holdRoutes } from './hold-routes.ts';
import { type LabDeps, labRoutes } from './lab-routes.ts';
import { type NewBookingDeps, newBookingRoutes } from './new-booking-routes.ts';
import { ProblemError } from './problem.ts';
import { createRouter } from './router.ts';
import { type StrategyRouteDeps, strategyRoutes } from './strategy-routes.ts';

/** What the routes are made of, but for what is made of it here. */
export type AppDeps = Omit<
  NewBookingDeps &
    HoldDeps &
    BookingDeps &
    BookingListDeps &
    EventDeps &
    StrategyRouteDeps &
    LabDeps &
    HealthDeps,
  'access' | 'answers'
> &
  AccessDeps & { onAnswer?: OnAnswer | undefined };

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

export function createApp(appDeps: AppDeps) {
  const answers = createAnswers(appDeps.instanceId, appDeps.log, appDeps.onAnswer);
  const deps = { ...appDeps, access: createAccess(appDeps), answers };
  const app = createRouter()
    .route('/', newBookingRoutes(deps))
    .route('/', holdRoutes(deps))
    .route('/', bookingRoutes(deps))
    .route('/', bookingListRoutes(deps))
    .route('/', eventRoutes(deps))
    .route('/', strategyRoutes(deps))
    .route('/', labRoutes(deps))
    .route('/', healthRoutes(deps));
  const document = lazy(() => documentOf(app));
  app.route('/', docsRoutes({ answers, document }));

  app.notFound((c) => {
    const allowed = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
    if (allowed.length === 0) {
      return answers.problem(c, { code: 'not_found', detail: `There is nothing at ${c.req.path}.` });
    }
    if (allowed.includes('GET')) allowed.push('HEAD');
    return answers.problem(c, {
      code: 'method_not_allowed',
      detail: `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}.`,
      headers: { allow: allowed.join(', ') },
    });
  });

  app.onError((error, c) => {
    if (error instanceof ProblemError) return answers.problem(c, error.problem);
    return answers.problem(c, {
      code: 'internal',
      detail: 'An unexpected error; the log of the instance tells more.',
      cause: error,
    });
  });

  return app;
}

function lazy<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
