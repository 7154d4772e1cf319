import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

import { onTestFinished } from 'vitest';

// A bench takes its stack down, which waits for Postgres to stop. Whoever takes longer leaves that to its watchdog.
const PATIENCE_MS = 20_000;

/** A program that a test has started ends with the test, also with one that fails or runs out of time. */
export function endWithTest<C extends ChildProcess>(child: C): C {
  onTestFinished(() => end(child));
  return child;
}

/** A program of ours, and what it says; rejects where its exit code is another one than 0. */
export function runNode(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ stdout: string; stderr: string }> {
  const running = execute(process.execPath, args, { env });
  endWithTest(running.child);
  return running;
}

const execute = promisify(execFile);

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await exited;
  clearTimeout(timer);
}
