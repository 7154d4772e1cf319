import type { Context } from '#src/context.ts';
import { createApp, type AppDeps } from '#src/http/app.ts';

import { withoutBugs } from './log.ts';

export type TestApp = ReturnType<typeof createApp>;

/** The service without its listener, in lab mode and without operators unless a test says otherwise. */
export function createTestApp(context: Context, deps: Partial<AppDeps> = {}): TestApp {
  return createApp({
    ...context,
    instanceId: 'test',
    labMode: true,
    bookingKey: 'only-for-tests',
    operators: [],
    raceWindowMs: 0,
    log: withoutBugs,
    ...deps,
  });
}
