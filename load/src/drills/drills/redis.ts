import { BREAKS_LEASES, BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

/** Drills that strike Redis. What it holds is locks and tokens; what is sold is in Postgres. */

export const redisFlush: Drill = {
  name: 'redis-flush',
  what: 'Redis loses everything (FLUSHALL) while bookings are held under leases',
  breaks: BREAKS_LEASES,
  where: 'redis',
  holds: true,
  strikesAll: true,
  lastsMs: [500, 1_000],
  floors: { during: 0.1, after: LEFT_AFTER },
  async strike({ cluster }) {
    await cluster.redis('redis', 'FLUSHALL');
  },
  heal: async () => {},
};

export const redisRestart: Drill = {
  name: 'redis-restart',
  what: 'Redis ends in order and comes back with its data',
  breaks: BREAKS_NO_LOCK,
  where: 'redis',
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.restart('redis'),
  heal: async () => {},
};

export const redisRestartEmpty: Drill = {
  name: 'redis-restart-empty',
  what: 'Redis loses everything, ends in order and comes back empty: it knows no lease, no token and no script',
  breaks: BREAKS_LEASES,
  where: 'redis',
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster }) {
    await cluster.redis('redis', 'FLUSHALL');
    await cluster.restart('redis');
  },
  heal: async () => {},
};

export const redisCrash: Drill = {
  name: 'redis-crash',
  what: 'Redis is killed (SIGKILL), stays away, and comes back with what was on its disk',
  // The last second of its log may be lost, with the leases that were given in it.
  breaks: BREAKS_LEASES,
  where: 'redis',
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.kill('redis'),
  heal: ({ cluster }) => cluster.start('redis'),
};

export const redisPause: Drill = {
  name: 'redis-pause',
  what: 'Redis hangs (SIGSTOP) for longer than the leases, and goes on with all that it was sent meanwhile',
  // Whoever holds a lease then writes when it is long over.
  breaks: BREAKS_LEASES,
  where: 'redis',
  lastsMs: [2_200, 3_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster }) => cluster.pause('redis'),
  heal: ({ cluster }) => cluster.resume('redis'),
};

// Less than an empty server uses: whatever would take more memory is refused.
const NO_MEMORY = 'CONFIG SET maxmemory 1';
const MEMORY = 'CONFIG SET maxmemory 0';

export const redisFull: Drill = {
  name: 'redis-full',
  what: 'Redis has no memory left and refuses to write (maxmemory, noeviction)',
  breaks: BREAKS_NO_LOCK,
  where: 'redis',
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster }) {
    await cluster.redis('redis', NO_MEMORY);
  },
  async heal({ cluster }) {
    await cluster.redis('redis', MEMORY);
  },
};

export const redisEvicts: Drill = {
  name: 'redis-evicts',
  what: 'Redis is set up to throw away what it has no memory for (allkeys-lru), locks and tokens among it',
  breaks: BREAKS_LEASES,
  where: 'redis',
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster }) {
    await cluster.redis('redis', 'CONFIG SET maxmemory-policy allkeys-lru');
    await cluster.redis('redis', NO_MEMORY);
  },
  async heal({ cluster }) {
    await cluster.redis('redis', MEMORY);
    await cluster.redis('redis', 'CONFIG SET maxmemory-policy noeviction');
  },
};

// Nobody listens there: it stays a replica that has never seen its primary, and keeps what it has.
const NOWHERE = '127.0.0.1 1';

export const redisDemoted: Drill = {
  name: 'redis-demoted',
  what: 'Redis is made a replica (REPLICAOF): it answers, reads, and refuses every write (READONLY); then it is the primary again',
  breaks: BREAKS_NO_LOCK,
  where: 'redis',
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster }) {
    await cluster.redis('redis', `REPLICAOF ${NOWHERE}`);
  },
  async heal({ cluster }) {
    await cluster.redis('redis', 'REPLICAOF NO ONE');
  },
};
