import type { Stack } from './runtime.ts';
import { projectName, runtimesOf } from './runtimes.ts';
import { UserError } from './user-error.ts';

export type { Runtime, Stack, StackOptions } from './runtime.ts';
export { UserError } from './user-error.ts';

/** The topology that is up, whichever way it was started. Throws a `UserError` of one line if none is. */
export async function findStack(): Promise<Stack> {
  for (const runtime of runtimesOf(projectName())) {
    const stack = await runtime.find();
    if (stack) return stack;
  }
  throw new UserError('nothing is running: make up');
}
