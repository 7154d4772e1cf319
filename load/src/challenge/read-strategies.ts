import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Guarantee } from '@lastseat/booking/contract';
import { UserError } from '@lastseat/infra/command-line';

/** A strategy that a file makes. */
export interface StrategyOfFile {
  name: string;
  guarantee: Guarantee;
  /** Absolute. */
  path: string;
}

const CHECK = fileURLToPath(new URL('../../../services/booking/src/check-strategies.ts', import.meta.url));

// It loads the service, which takes a second, and many where others keep the machine busy.
const TIMEOUT_MS = 60_000;

/**
 * What files make, in a process of its own: whatever they do, nothing has been started yet.
 * @throws UserError of one line, for the first that is of no use
 */
export async function readStrategies(files: readonly string[]): Promise<StrategyOfFile[]> {
  const paths = files.map((file) => {
    const path = resolve(file);
    if (!existsSync(path)) throw new UserError(`${file}: there is no such file`);
    if (!statSync(path).isFile()) throw new UserError(`${file}: a folder; name the file of a strategy`);
    if (path.includes(',')) throw new UserError(`${file}: a comma in its path would end it`);
    return path;
  });
  const strategies = await Promise.all(paths.map(async (path) => ofFile(path, await check([path]))));
  // Two files may have given one name.
  if (paths.length > 1) await check(paths);
  return strategies.flat();
}

function ofFile(path: string, made: readonly Omit<StrategyOfFile, 'path'>[]): StrategyOfFile[] {
  return made.map(({ name, guarantee }) => ({ name, guarantee, path }));
}

async function check(paths: readonly string[]): Promise<Omit<StrategyOfFile, 'path'>[]> {
  const { code, stdout, stderr } = await run([CHECK, ...paths]);
  if (code === 0) return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as StrategyOfFile[];
  const names = paths.map((path) => basename(path)).join(', ');
  // 13 is Node's word for a file that waits for ever.
  if (code === 1) throw new UserError(lastLine(stderr) || `${names}: it cannot be loaded`);
  throw new UserError(`${names}: loading it does not end (exit code ${code ?? 'none: it was killed'})`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

function run(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      args,
      { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : null) : 0;
        done({ code, stdout, stderr });
      },
    );
  });
}
