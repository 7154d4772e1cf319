import { UsageError } from './usage-error.ts';
import { refuseUnknownVariables } from './variables.ts';

/** For the targets of make that are not programs of ours: is everything on the command line known? */
try {
  refuseUnknownVariables(process.env);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
