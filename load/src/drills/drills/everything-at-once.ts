import { BREAKS_LEASES, LEFT_AFTER, type Drill } from '../drill.ts';

export const everythingAtOnce: Drill = {
  name: 'everything-at-once',
  what: 'Redis loses everything and is killed, Postgres hangs, one replica is paused and another one killed, all at the same time',
  breaks: BREAKS_LEASES,
  holds: true,
  lastsMs: [2_200, 3_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster, replica, replicas }) {
    const other = replicas.find((name) => name !== replica);
    await cluster.pause(replica);
    await cluster.redis('redis', 'FLUSHALL');
    await Promise.all([
      cluster.kill('redis'),
      cluster.pause('postgres'),
      ...(other === undefined ? [] : [cluster.kill(other)]),
    ]);
  },
  async heal({ cluster, replica, replicas }) {
    await cluster.resume('postgres');
    await cluster.start('redis');
    await cluster.resume(replica);
    for (const name of replicas) await cluster.start(name);
  },
};
