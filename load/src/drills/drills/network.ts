import { setTimeout as sleep } from 'node:timers/promises';

import type { Cluster, Link } from '@lastseat/infra/cluster';

import { BREAKS_NO_LOCK, LEFT_AFTER, MissedError, type Drill } from '../drill.ts';

/** Drills that strike the connections between a replica and its servers: both ends are well, and do not know of each other. */

export const redisCut: Drill = {
  name: 'redis-cut',
  what: 'one replica loses its connections to Redis and gets no new ones, with leases in its name; the others keep theirs',
  breaks: BREAKS_NO_LOCK,
  where: 'replicas',
  needs: 'links',
  // Longer than the leases that it holds, which is two seconds.
  lastsMs: [2_200, 3_500],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster, replica }) {
    for (const link of await linksOf(cluster, replica, isRedis)) await link.refuse();
  },
  async heal({ cluster, replica }) {
    for (const link of await linksOf(cluster, replica, isRedis)) await link.heal();
  },
};

// Of each server. More than one, so that what follows from the first one meets the next.
const LOST_REPLIES = 6;
const LOST_WITHIN_MS = 5_000;
const POLL_MS = 10;

/** As the wire has them: `commit` of a transaction, and the statements of batches, which commit by themselves. */
const COMMITS = ['commit\0', 'with seen', 'with wanted'];
/** Of whatever is asked about a lock. */
const LOCKS = ['lock:'];

export const lostReply: Drill = {
  name: 'lost-reply',
  what: 'commits, and words to and fro about locks, are carried out and their replies lost with the connection of a replica',
  breaks: BREAKS_NO_LOCK,
  where: 'replicas',
  needs: 'links',
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster, replica, signal }) {
    for (const link of await linksOf(cluster, replica, isRedis))
      await link.loseReplies({ count: LOST_REPLIES, containing: LOCKS });
    const toPostgres = await cluster.link(replica, 'postgres');
    await toPostgres.loseReplies({ count: LOST_REPLIES, containing: COMMITS });
    const untilMs = performance.now() + LOST_WITHIN_MS;
    while ((await toPostgres.lostReplies()) === 0 && !signal.aborted) {
      if (performance.now() > untilMs)
        throw new MissedError(`${replica} committed nothing: no reply was lost`);
      await sleep(POLL_MS);
    }
  },
  async heal({ cluster, replica }) {
    for (const link of await linksOf(cluster, replica)) await link.heal();
  },
};

// Each way: as between continents. Some trips of it fit into a lease.
const SLOWEST_MS = 60;

export const slowNetwork: Drill = {
  name: 'slow-network',
  what: 'everything between the replicas and their servers takes some 30 to 60 ms longer, each way, differently for each',
  breaks: BREAKS_NO_LOCK,
  needs: 'links',
  lastsMs: [2_000, 3_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster, replicas, random }) {
    for (const replica of replicas) {
      for (const link of await linksOf(cluster, replica)) {
        const ms = (SLOWEST_MS / 2) * (1 + random());
        await link.delay({ requestMs: ms, replyMs: ms });
      }
    }
  },
  async heal({ cluster, replicas }) {
    for (const replica of replicas) {
      for (const link of await linksOf(cluster, replica)) await link.heal();
    }
  },
};

/** Those of a replica to its servers: the three of the quorum lock are there where that lock is played. */
async function linksOf(
  cluster: Cluster,
  replica: string,
  isWanted = (_server: string) => true,
): Promise<Link[]> {
  const names = (await cluster.links()).toSorted().map((name) => name.split('>'));
  const servers = names.flatMap(([from, to = '']) => (from === replica && isWanted(to) ? [to] : []));
  return Promise.all(servers.map((server) => cluster.link(replica, server)));
}

const isRedis = (server: string): boolean => server !== 'postgres';
