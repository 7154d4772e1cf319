import { setTimeout as sleep } from 'node:timers/promises';

import type { RedundantKind } from '@lastseat/infra/cluster';
import { UserError } from '@lastseat/infra/command-line';

import { BREAKS_LEASES, BREAKS_NO_LOCK, LEFT_AFTER, type Drill, type Scene } from '../drill.ts';

/** Drills that strike the primary of three servers: another one takes its place, and nobody has to mend anything. */

const POLL_MS = 50;
// Sentinel is done within four seconds, Patroni within twenty: several times that, for a machine that is busy.
const TAKEN_OVER_WITHIN_MS = 90_000;

function failover(
  kind: RedundantKind,
  {
    take,
    ...about
  }: Pick<Drill, 'name' | 'what' | 'breaks' | 'sellsWithinMs' | 'expectedMs'> & {
    /** Takes the primary away. */
    take(scene: Scene, primary: string): Promise<void>;
  },
): Drill {
  return {
    ...about,
    needs: 'three-servers',
    lastsMs: [1_000, 2_000],
    floors: { during: 0, after: LEFT_AFTER },
    async strike(scene) {
      const primary = await scene.cluster.primary(kind);
      await take(scene, primary);
      await untilTakenOver(scene, kind, primary);
    },
    // The lost one is started with all that does not run, and follows the new one.
    heal: async () => {},
  };
}

async function untilTakenOver({ cluster, signal }: Scene, kind: RedundantKind, lost: string): Promise<void> {
  const untilMs = performance.now() + TAKEN_OVER_WITHIN_MS;
  const isTaken = async (): Promise<boolean> => {
    const primary = await cluster.primary(kind).catch(() => null); // there is none meanwhile
    return primary !== null && primary !== lost;
  };
  while (!signal.aborted && !(await isTaken())) {
    if (performance.now() > untilMs) throw new UserError(`nobody has taken the place of ${lost}`);
    await sleep(POLL_MS);
  }
}

export const redisFailover = failover('redis', {
  name: 'redis-failover',
  what: 'the primary of three Redis servers is killed (SIGKILL): the sentinels make a replica the primary',
  // A replica may lack the last leases that were given.
  breaks: BREAKS_LEASES,
  sellsWithinMs: 5_000,
  take: ({ cluster }, primary) => cluster.kill(primary),
});

export const redisPrimaryHangs = failover('redis', {
  name: 'redis-primary-hangs',
  what: 'the primary of three Redis servers hangs (SIGSTOP), another one takes its place, and it goes on as if it were the primary still',
  breaks: BREAKS_LEASES,
  // Connections to it stay open: the replicas hear from the sentinels that they are to ask another one.
  sellsWithinMs: 8_000,
  take: ({ cluster }, primary) => cluster.pause(primary),
});

export const postgresFailover = failover('postgres', {
  name: 'postgres-failover',
  what: 'the primary of three Postgres servers is killed (SIGKILL) in the middle of commits: Patroni makes another one the primary',
  breaks: BREAKS_NO_LOCK,
  sellsWithinMs: 25_000,
  expectedMs: 60_000,
  take: ({ cluster }, primary) => cluster.kill(primary),
});

export const postgresHandOver = failover('postgres', {
  name: 'postgres-hand-over',
  what: 'the primary of three Postgres servers gives its place to another one in order, with bookings under way',
  breaks: BREAKS_NO_LOCK,
  sellsWithinMs: 5_000,
  expectedMs: 30_000,
  take: ({ cluster }) => cluster.handOver(),
});
