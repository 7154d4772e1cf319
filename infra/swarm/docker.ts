import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { capture } from '../stack/run-command.ts';
import { UserError } from '../stack/user-error.ts';

/** A question to a manager, which answers in tenths of a second. */
const QUESTION_TIMEOUT_MS = 15_000;

/** One Docker engine, by its own command. */
export interface Docker {
  /** What `docker ARGS` prints; null if it fails, as it does for what there is not. */
  ask(args: readonly string[]): Promise<string | null>;
  /** @throws UserError with the last thing that it said */
  tell(args: readonly string[], how: Telling): Promise<void>;
}

interface Telling {
  env?: NodeJS.ProcessEnv;
  input?: string;
  timeoutMs: number;
}

/** @param host as in DOCKER_HOST; without it that of the current Docker context */
export function dockerAt(host?: string): Docker {
  const at = host === undefined ? [] : ['--host', host];
  return {
    async ask(args) {
      const { code, stdout } = await capture('docker', [...at, ...args], QUESTION_TIMEOUT_MS);
      return code === 0 ? stdout.trim() : null;
    },
    tell: (args, how) => tell([...at, ...args], args.slice(0, 2).join(' '), how),
  };
}

async function tell(
  args: readonly string[],
  what: string,
  { env = {}, input = '', timeoutMs }: Telling,
): Promise<void> {
  const child = spawn('docker', args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_096)));
  child.stdin.on('error', () => {}); // it ended without reading: its exit code says the rest
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code === 0) return;
  const why =
    signal === null ? said.trim().split('\n').slice(-3).join('\n') : `not done within ${timeoutMs / 1_000} s`;
  throw new UserError(`docker ${what}: ${why}`);
}
