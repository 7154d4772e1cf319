import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it, onTestFinished } from 'vitest';

import type { ChallengeOfStrategy } from '#src/challenge/verdict.ts';
import type { Operation } from '#src/history/operation.ts';
import type { Played } from '#src/pitfalls/played.ts';
import { overwrites } from '#src/race/race.ts';

const program = (path: string): string =>
  fileURLToPath(new URL(`../../src/${path}/main.ts`, import.meta.url));
const example = (name: string): string =>
  fileURLToPath(new URL(`../../challenge/${name}.ts`, import.meta.url));

it('a lock that is looked at before the write is convicted by a pause, and one with a fence is not', async () => {
  const { env, dir } = room();
  const files = [example('checked-lock'), example('fence')].join(',');
  const flags = [`--strategy=${files}`, '--only=pause-holder', '--json'];
  const { code, stdout } = await run([program('challenge'), ...flags], env);
  const { folder, found } = JSON.parse(stdout) as { folder: string; found: ChallengeOfStrategy[] };
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['my-checked-lock', 'convicted'],
    ['my-fence', 'passed'],
  ]);
  expect(code).toBe(1);
  const [trial] = found[0]!.trials;
  expect(trial).toMatchObject({ attack: 'pause-holder', verdict: 'convicted', check: 'oversold' });

  // What convicts it is kept, and convicts it without us.
  const history = join(folder, trial!.history!);
  const operations = readFileSync(history, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Operation);
  expect(operations).toContainEqual(expect.objectContaining({ operation: 'count', free: -1 }));
  const checked = await run([program('history'), '--check', history], env);
  expect(checked).toMatchObject({ code: 1 });
  expect(readdirSync(folder)).toContain('my-checked-lock-checked-lock.ts');
  expect(readdirSync(dir), 'the stack is gone').toEqual(['home']);
});

it('a pitfall breaks the strategy that has it, and not the right one', async () => {
  const { env } = room();
  const flags = ['--only=foreign-release,wrong-isolation', '--json'];
  const { code, stdout } = await run([program('pitfalls'), ...flags], env);
  const { folder, played } = JSON.parse(stdout) as { folder: string; played: Played[] };
  expect(played.map(({ strategy, sold, available }) => [strategy, sold, available])).toEqual([
    ['foreign-release-broken', 2, 0],
    ['foreign-release-right', 1, 0],
    ['wrong-isolation-broken', 2, 0],
    ['wrong-isolation-right', 1, 0],
  ]);
  expect(code).toBe(0);
  expect(played.map(({ race }) => overwrites(race).size)).toEqual([1, 0, 1, 0]);
  expect(existsSync(join(folder, 'pitfalls.html'))).toBe(true);
});

/** A place for what is found and for the stack, and nothing else. */
function room() {
  const dir = mkdtempSync(join(tmpdir(), 'challenge-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755); // Postgres may be somebody else
  return { dir, env: { ...process.env, TMPDIR: dir, LASTSEAT_HOME: join(dir, 'home') } };
}

function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { env }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, stdout });
    });
  });
}
