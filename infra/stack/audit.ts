import { endWithReader } from '../command-line/reader.ts';
import { refuseUnknownVariables } from '../command-line/variables.ts';
import { repository } from '../native/places.ts';
import { show } from './run-command.ts';
import { runningOf, runtimesOf } from './runtimes.ts';

/** `make audit`: the audit of the booking service, on the database of the stack that is up. */

const AUDIT = `${repository}/services/booking/src/audit.ts`;

/** Of what could not even be begun: 1 says that counter and rows differ. */
const NOT_DONE = 2;

endWithReader();
process.exitCode = await audit(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  return NOT_DONE;
});

async function audit(args: readonly string[]): Promise<number> {
  refuseUnknownVariables(process.env);
  const [running] = await runningOf(runtimesOf());
  if (!running && !args.includes('--help')) throw new Error('nothing is running: make up');
  const env = { ...process.env, DATABASE_URL: running?.stack.postgresUrl ?? '' };
  return (await show(process.execPath, [AUDIT, ...args], env)) ?? NOT_DONE;
}
