import { CommitUnknownError, PostgresBusyError, PostgresUnavailableError } from '#src/storage/failure.ts';

import { ProblemError } from './problem.ts';

/**
 * For routes that ask Postgres directly: its absence is an answer of ours, not an internal error.
 * @param whereToLook for those that change something: a sentence on what tells whether the change was made, should
 *   the answer to its commit be lost
 */
export async function guardAgainstOutage<T>(query: () => Promise<T>, whereToLook = ''): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (error instanceof CommitUnknownError) {
      const detail = `The connection to Postgres was lost during the commit. ${whereToLook}: look before you try again.`;
      throw new ProblemError({ code: 'unknown', detail, cause: error });
    }
    if (error instanceof PostgresUnavailableError) {
      throw new ProblemError({
        code: 'unavailable',
        detail: 'Postgres is away or cannot serve. Try again later.',
        cause: error,
      });
    }
    if (error instanceof PostgresBusyError) {
      const detail = 'Postgres had no time for this. Try again.';
      throw new ProblemError({ code: 'busy', detail, cause: error });
    }
    throw error;
  }
}
