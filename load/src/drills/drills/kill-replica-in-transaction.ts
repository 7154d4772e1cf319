import { setTimeout as sleep } from 'node:timers/promises';

import { BREAKS_NO_LOCK, LEFT_AFTER, MissedError, type Drill, type Scene } from '../drill.ts';

// Shorter than anybody waits for a row, and time enough to see who waits.
const ROWS_HELD_S = 1.5;
const POLL_MS = 20;

/**
 * The rows of the events are locked, so that every booking under way waits in the middle of its transaction. Then the
 * replica is killed.
 */
export const killReplicaInTransaction: Drill = {
  name: 'kill-replica-in-transaction',
  what: 'a replica is killed while its transactions are under way: all of each is there afterwards, or none',
  breaks: BREAKS_NO_LOCK,
  where: 'replicas',
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  async strike(scene) {
    const { cluster, eventIds, replica } = scene;
    const held = cluster.statement(
      `select pg_sleep($2) from (select event_id from inventory where event_id = any($1) order by event_id for update) rows limit 1`,
      [eventIds, ROWS_HELD_S],
    );
    held.catch(() => {}); // heard of below
    await untilItWaits(scene);
    await cluster.kill(replica);
    await held;
  },
  heal: ({ cluster, replica }) => cluster.start(replica),
};

async function untilItWaits({ cluster, replica, signal }: Scene): Promise<void> {
  const instance = (await cluster.parts()).find(({ name }) => name === replica)?.instance ?? replica;
  const untilMs = performance.now() + ROWS_HELD_S * 1_000;
  while (performance.now() < untilMs) {
    const [found] = await cluster.statement<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and application_name like $1`,
      [`${instance}%`],
    );
    if ((found?.waiting ?? 0) > 0) return;
    await sleep(POLL_MS, undefined, { signal });
  }
  throw new MissedError(`${replica} had no transaction under way`);
}
