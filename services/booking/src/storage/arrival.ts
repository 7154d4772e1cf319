import { type RawBuilder, sql } from 'kysely';

/**
 * A booking request belongs to the epoch in which it arrived, however long it has waited since: for a lock, a
 * connection or a row. It cannot know which epoch that is without asking, and asking would cost every booking a
 * statement. So it tells its age instead, in the statement that decides it anyway, and Postgres compares by its own
 * clock: an epoch that is younger than the request began after it.
 *
 * The age is what it is when the statement is sent. On its way to Postgres the request gets older, so that one which
 * arrived that short a time before a reset counts as of after it; one that came after it is never refused. (If Postgres's
 * clock is set back after a reset, by so much longer: then it is told to come back.)
 */
export function beganAfter(arrivedAtMs: number | undefined): RawBuilder<boolean> {
  if (arrivedAtMs === undefined) return sql`false`;
  return beganWithin(sql`${ageSince(arrivedAtMs)}::float8`);
}

/** Null is the age of what belongs to every epoch. */
export function beganWithin(ageMs: RawBuilder<number | null>): RawBuilder<boolean> {
  return sql`coalesce(epoch_began_at > statement_timestamp() - ${ageMs} * interval '1 millisecond', false)`;
}

/** Parameters that get their value when they are sent; until then their statement may wait for a connection. */
function ageSince(arrivedAtMs: number): { toPostgres(): number } {
  return { toPostgres: () => performance.now() - arrivedAtMs };
}

export function agesSince(arrivals: readonly (number | undefined)[]): { toPostgres(): (number | null)[] } {
  return {
    toPostgres() {
      const nowMs = performance.now();
      return arrivals.map((arrivedAtMs) => (arrivedAtMs === undefined ? null : nowMs - arrivedAtMs));
    },
  };
}
