import type { BookingRequest, Outcome, Strategy } from '#src/booking/strategy.ts';
import { createApp, type AppDeps } from '#src/http/app.ts';
import type { PooledDb } from '#src/storage/pool.ts';
import type { Db } from '#src/storage/schema.ts';

/** The app on strategies that answer what a test wants: for what has nothing to do with Postgres or Redis. */
export function createFakeApp({
  outcome = { code: 'booked', fencingToken: null },
  ...deps
}: Partial<AppDeps> & { outcome?: Outcome | ((request: BookingRequest) => Promise<Outcome>) } = {}) {
  const requests: BookingRequest[] = [];
  const names = ['no-lock', 'fenced-lock', 'atomic-update', 'batched-lock', 'batched-update'] as const;
  const strategies = names.map((name): [string, Strategy] => [
    name,
    {
      name,
      guarantee: 'always',
      guardsWith: '',
      breaksWhen: '',
      costs: '',
      async book(request) {
        requests.push(request);
        return typeof outcome === 'function' ? outcome(request) : outcome;
      },
    },
  ]);
  const lines: { level: string; [field: string]: unknown }[] = [];
  const logAt = (level: string) => (line: object, msg?: string) => void lines.push({ level, ...line, msg });
  const app = createApp({
    instanceId: 'unit-1',
    labMode: true,
    bookingKey: 'only-for-tests',
    operators: [],
    raceWindowMs: 0,
    log: { error: logAt('error'), warn: logAt('warn'), info: logAt('info') },
    // Whoever touches it in a test that needs no database gets told so.
    db: null as unknown as PooledDb,
    reads: null as unknown as Db,
    strategies: new Map(strategies),
    isQuorumConfigured: false,
    retriesOf: () => 0,
    failedChecks: async () => [],
    ...deps,
  });
  return { app, requests, lines };
}
