import { BREAKS_LEASES, LEFT_AFTER, type Drill } from '../drill.ts';

export const pauseHolder: Drill = {
  name: 'pause-holder',
  what: 'a replica is paused (SIGSTOP) past the leases of bookings that it holds between read and write; others buy, and it goes on',
  breaks: BREAKS_LEASES,
  where: 'replicas',
  mustBreak: BREAKS_LEASES,
  holds: true,
  // Longer than the lease, which is two seconds.
  lastsMs: [2_200, 3_000],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster, replica }) => cluster.pause(replica),
  heal: ({ cluster, replica }) => cluster.resume(replica),
};
