import type { StrategyName } from '@lastseat/booking/contract';
import type { Change } from '@lastseat/infra/seeded-mistakes';

/**
 * A mistake in the service, the lock or what is deployed around them, made on purpose: a drill must find it. Those that one
 * process can show are for the simulation; these need servers, connections and processes that really end.
 */
export interface Mistake {
  readonly name: string;
  readonly what: string;
  readonly changes: readonly Change[];
  /** The drill that shows it, and the guard under which it does. */
  readonly drill: string;
  readonly strategy: StrategyName;
}

const BOOKING = 'services/booking/src';
const NGINX = 'nginx/nginx.conf';

export const MISTAKES: readonly Mistake[] = [
  {
    name: 'told-before-the-disk',
    what: 'Postgres answers a commit before it is on the disk (synchronous_commit = off)',
    changes: [
      {
        file: 'infra/postgres/postgresql.conf',
        right: 'synchronous_commit = on',
        wrong: 'synchronous_commit = off',
      },
    ],
    drill: 'postgres-crash',
    strategy: 'batched-update',
  },
  {
    name: 'nginx-repeats-a-post',
    what: 'nginx gives a booking that a replica had got to another one, without the name by which Postgres knows it again',
    changes: [
      { file: NGINX, right: '"~[1-9]" yes;', wrong: '"~[1-9]" "";' },
      { file: NGINX, right: '  proxy_set_header X-Request-Id $request_id;\n', wrong: '' },
    ],
    drill: 'kill-replica-in-transaction',
    strategy: 'batched-update',
  },
  {
    name: 'nginx-says-nothing-was-done',
    what: 'nginx tells the buyer of a replica that is gone to try again, although it had got the booking',
    changes: [
      {
        file: NGINX,
        right:
          '    location @again {\n      if ($handed_over) {\n        set $is_own yes;\n        return 504 $unknown;',
        wrong:
          '    location @again {\n      if ($handed_over) {\n        set $is_own yes;\n        return 503 $unavailable;',
      },
    ],
    drill: 'kill-replica-in-transaction',
    strategy: 'batched-update',
  },
  {
    name: 'stops-at-once',
    what: 'a replica that is asked to stop does so, and forgets who waits for an answer',
    changes: [
      {
        file: `${BOOKING}/main.ts`,
        right: 'await server.drain({ delayMs: config.drainDelayMs, graceMs: DRAIN_GRACE_MS })',
        wrong: 'server.port > 0',
      },
    ],
    drill: 'rolling-restart',
    strategy: 'fenced-lock',
  },
  {
    name: 'in-doubt-is-failed',
    what: 'a commit whose answer is lost counts as one that failed',
    changes: [
      {
        file: `${BOOKING}/storage/transaction.ts`,
        right: "  return new CommitUnknownError('the connection was lost during COMMIT', { cause: error });",
        wrong: '  return error;',
      },
    ],
    drill: 'lost-reply',
    strategy: 'fenced-lock',
  },
];
