import { expect } from 'vitest';

import type { ProblemLog } from '#src/http/log-problem.ts';

/** For tests in which servers may fail, and the service must not. */
export const withoutBugs: ProblemLog = {
  error: (entry: unknown) => expect.fail(JSON.stringify(entry)),
  warn() {},
  info() {},
};
