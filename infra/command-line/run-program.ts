import { inspect } from 'node:util';

import { UserError } from '../stack/user-error.ts';
import { refuseUnwritable, type JsonTarget } from './json-report.ts';
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

interface Command<Options> {
  help: string;
  /** Throws a `UsageError` that names what is wrong. */
  readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options;
}

/** Runs a program with its options. Help is printed, and a report that cannot be written refused, before it begins. */
export function runWithOptions<Options extends { help: boolean; json?: JsonTarget }>(
  { help, readOptions }: Command<Options>,
  main: (options: Options) => Promise<number>,
): Promise<void> {
  return runProgram(async () => {
    const options = readOptions(process.argv.slice(2), process.env);
    if (options.help) {
      process.stdout.write(`${help}\n`);
      return 0;
    }
    refuseUnwritable(options.json ?? null);
    return main(options);
  });
}
