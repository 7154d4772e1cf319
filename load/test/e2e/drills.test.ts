import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it, onTestFinished } from 'vitest';

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
