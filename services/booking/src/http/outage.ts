import { PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';

import { ProblemError } from './problem.ts';

/** For routes that ask Postgres directly: its absence is an answer of ours, not an internal error. */
export async function guardAgainstOutage<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (error instanceof PostgresUnavailableError) {
      throw new ProblemError({
        code: 'unavailable',
        detail: 'Postgres is away or cannot serve. Try again later.',
      });
    }
    if (error instanceof PostgresBusyError) {
      throw new ProblemError({ code: 'busy', detail: 'Postgres had no time for this. Try again.' });
    }
    throw error;
  }
}
