import { inspect } from 'node:util';

import { UserError } from '../stack/user-error.ts';
import { endWithReader } from './reader.ts';
import { UsageError } from './usage-error.ts';

/**
 * Runs a program and sets the exit code: what it returns, 2 for a wrong option, 1 for anything else that went wrong. What
 * its user can mend is one line without a stack trace; that nobody reads on is nothing that went wrong.
 */
export async function runProgram(main: () => Promise<number>): Promise<void> {
  endWithReader();
  process.exitCode = await main().catch((error: unknown) => {
    const isForUser = error instanceof UserError;
    process.stderr.write(`${isForUser ? error.message : inspect(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  });
}
