import { BREAKS_LEASES, BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

/** Drills that strike Postgres: without it nothing is sold, and nothing that was sold may be lost. */

export const postgresRestart: Drill = {
  name: 'postgres-restart',
  what: 'Postgres ends in order, with bookings under way, and comes back',
  breaks: BREAKS_NO_LOCK,
  where: 'postgres',
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.restart('postgres'),
  heal: async () => {},
};

export const postgresCrash: Drill = {
  name: 'postgres-crash',
  what: 'Postgres is killed (SIGKILL) in the middle of commits, and recovers',
  breaks: BREAKS_NO_LOCK,
  where: 'postgres',
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.kill('postgres'),
  heal: ({ cluster }) => cluster.start('postgres'),
};

export const postgresPause: Drill = {
  name: 'postgres-pause',
  what: 'Postgres hangs (SIGSTOP) for longer than the leases, and goes on with all that it was sent meanwhile',
  // A write that was sent under a lease is done when that is over.
  breaks: BREAKS_LEASES,
  where: 'postgres',
  lastsMs: [2_200, 3_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.pause('postgres'),
  heal: ({ cluster }) => cluster.resume('postgres'),
};
