import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { nativeCluster } from '@lastseat/infra/cluster';
import { findProcess } from '@lastseat/infra/servers';
import { expect, it, onTestFinished } from 'vitest';

import { chooseRuntime } from '#src/bench/stack/start-stack.ts';
import type { Cell } from '#src/drills/cell.ts';

const main = fileURLToPath(new URL('../../src/drills/main.ts', import.meta.url));

interface Found {
  folder: string;
  seed: number;
  command: string;
  isComplete: boolean;
  cells: Cell[];
}

// Throughputs and times are the machine's: what is asserted is what was sold and said.
it('a paused holder oversells with the textbook lock, and not with a fence; accidents break no guard', async () => {
  const { env, dir } = room();
  const drills = ['pause-holder', 'kill-holder', 'redis-flush', 'postgres-crash'];
  const { found, code } = await drill(env, [
    `--name=${drills.join()}`,
    '--strategy=simple-lock,fenced-lock,batched-update',
  ]);
  const broke = found.cells.filter(({ verdict }) => verdict === 'broke');
  // The textbook lock also breaks where the machine is slower than its lease.
  expect(broke.filter(({ strategy }) => strategy !== 'simple-lock')).toEqual([]);
  expect(found).toMatchObject({ isComplete: true, seed: expect.any(Number) });

  const paused = (strategy: string) => cellOf(found, 'pause-holder', strategy);
  expect(paused('simple-lock')).toMatchObject({ verdict: 'broke as it says' });
  expect(paused('simple-lock').held.oversold).toBeGreaterThan(0);
  expect(paused('fenced-lock')).toMatchObject({ verdict: 'exact', oversold: 0 });
  expect(paused('fenced-lock').held.struck).toBeGreaterThan(0);
  // What convicts it is kept.
  const [history = ''] = paused('simple-lock').histories;
  expect(existsSync(join(found.folder, history))).toBe(true);

  const open = found.cells.filter(({ requests }) => requests.settled !== requests.unknown);
  expect(open).toEqual([]);
  expect(code === 1).toBe(broke.length > 0);
  expect(readdirSync(dir), 'the stack is gone').toEqual(['home']);
});

// Processes are looked at, which containers hide.
it.runIf(chooseRuntime(process.env) === 'native')(
  'interrupted in the middle of a strike it ends everything that it has started, and its exit code says so',
  async () => {
    const { env, dir } = room();
    const flags = ['--name=pause-holder', '--strategy=row-lock', '--runtime=native'];
    const child = spawn(process.execPath, [main, ...flags], { env, stdio: 'ignore' });
    const exited = once(child, 'exit');
    const pids = await untilPaused(dir);
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    expect(pids.filter((pid) => findProcess(pid) !== null)).toEqual([]);
    expect(readdirSync(dir), 'the stack is gone').toEqual(['home']);
  },
);

/** @returns the processes of its stack */
async function untilPaused(dir: string): Promise<number[]> {
  for (;;) {
    for (const stack of globSync('lastseat-bench-*/native/*', { cwd: dir })) {
      const home = join(dir, stack, '..', '..');
      const parts = await nativeCluster(basename(stack), { home }).parts();
      if (!parts.some(({ state }) => state === 'paused')) continue;
      const state = JSON.parse(readFileSync(join(dir, stack, 'state.json'), 'utf8')) as State;
      return Object.values(state.parts).map(({ pid }) => pid);
    }
    await sleep(POLL_MS);
  }
}

interface State {
  parts: Record<string, { pid: number }>;
}

const POLL_MS = 20;

function cellOf({ cells }: Found, drill: string, strategy: string): Cell {
  const cell = cells.find((cell) => cell.drill === drill && cell.strategy === strategy);
  if (cell === undefined) throw new Error(`no cell of ${strategy} in ${drill}`);
  return cell;
}

/** A place for what is found and for the stack, and nothing else. */
function room() {
  const dir = mkdtempSync(join(tmpdir(), 'drill-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755); // Postgres may be somebody else
  return { dir, env: { ...process.env, TMPDIR: dir, LASTSEAT_HOME: join(dir, 'home') } };
}

function drill(env: NodeJS.ProcessEnv, flags: readonly string[]): Promise<{ code: number; found: Found }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, '--json', ...flags], { env }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, found: JSON.parse(stdout) as Found });
    });
  });
}
