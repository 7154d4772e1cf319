import { BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

export const killHolder: Drill = {
  name: 'kill-holder',
  what: 'a replica is killed (SIGKILL) that holds bookings between read and write: others go on selling, nothing is half done',
  breaks: BREAKS_NO_LOCK,
  where: 'replicas',
  holds: true,
  lastsMs: [500, 1_500],
  floors: { during: 0, after: LEFT_AFTER },
  strike: ({ cluster, replica }) => cluster.kill(replica),
  heal: ({ cluster, replica }) => cluster.start(replica),
};
