import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Finished {
  /** The exit code; null if a signal ended it, it ran out of time, or it could not be started. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** The program is not installed. */
  isMissing: boolean;
}

/** Runs a command and collects what it says. It never throws: what a failure means is for the caller to judge. */
export function capture(command: string, args: readonly string[], timeoutMs: number): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: null, ...output, isMissing: error.code === 'ENOENT' }),
    );
    child.once('close', (code) => resolve({ code, ...output, isMissing: false }));
  });
}

/** Runs a command whose output is what the user asked for. Returns the exit code; null if a signal ended it. */
export async function show(
  command: string,
  args: readonly string[],
  env = process.env,
): Promise<number | null> {
  using _ = outliveInterruption();
  const child = spawn(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

// The end of a failed build: enough for the step that failed and what it said.
const keptBytes = 16_384;

/**
 * Runs a command that takes a while: a person sees its progress on the standard error, a log file only what it said
 * if it failed. Returns the exit code; null if a signal ended it.
 */
export async function work(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number | null> {
  using _ = outliveInterruption();
  const isWatched = process.stderr.isTTY;
  const output = isWatched ? 2 : 'pipe';
  const child = spawn(command, args, { env, stdio: ['ignore', output, output] });
  let said = '';
  const keep = (text: string) => (said = (said + text).slice(-keptBytes));
  child.stdout?.setEncoding('utf8').on('data', keep);
  child.stderr?.setEncoding('utf8').on('data', keep);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && !isWatched) process.stderr.write(said);
  return code;
}

/** Ctrl-C reaches the child directly and ends it; we stay, to clean up. */
function outliveInterruption(): Disposable {
  process.on('SIGINT', ignore);
  return { [Symbol.dispose]: () => void process.off('SIGINT', ignore) };
}

function ignore(): void {}
