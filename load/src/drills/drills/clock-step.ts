import { BREAKS_NO_LOCK, LEFT_AFTER, type Drill } from '../drill.ts';

const MINUTE_MS = 60_000;
// Longer than any lease, hold or time limit of a request.
const STEP_MINUTES = { least: 2, most: 30 };

/** No guard asks for the time: leases end by Redis's clock, holds by Postgres's, and waits are measured, not compared. */
export const clockStep: Drill = {
  name: 'clock-step',
  what: 'the clock of a replica jumps by minutes, ahead or back, while it holds bookings between read and write; later it jumps back again',
  breaks: BREAKS_NO_LOCK,
  where: 'replicas',
  needs: 'clocks',
  holds: true,
  lastsMs: [1_000, 2_000],
  floors: { during: 0, after: LEFT_AFTER },
  async strike({ cluster, replica, random }) {
    const { least, most } = STEP_MINUTES;
    const stepMs = Math.round((least + (most - least) * random()) * MINUTE_MS);
    await cluster.setClock(replica, random() < 0.5 ? stepMs : -stepMs);
  },
  heal: ({ cluster, replica }) => cluster.setClock(replica, 0),
};
