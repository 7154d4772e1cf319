import type { Stack } from './runtime.ts';
import { runningOf, runtimesOf } from './runtimes.ts';
import { UserError } from './user-error.ts';

export { capture } from './run-command.ts';
export type { Runtime, Stack, StackOptions } from './runtime.ts';
export { UserError } from './user-error.ts';

/** The topology that is up, whichever way it was started. Throws a `UserError` of one line if none is. */
export async function findStack(): Promise<Stack> {
  const [running] = await runningOf(runtimesOf());
  if (!running) throw new UserError('nothing is running: make up');
  return running.stack;
}
