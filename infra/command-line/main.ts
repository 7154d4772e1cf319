import { runProgram } from './run-program.ts';
import { refuseUnknownVariables } from './variables.ts';

/** For the targets of make that are not programs of ours: is everything on the command line known? */
await runProgram(async () => {
  refuseUnknownVariables(process.env);
  return 0;
});
