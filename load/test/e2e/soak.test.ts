import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { expect, it, onTestFinished } from 'vitest';

import type { Operation } from '#src/history/operation.ts';
import type { Fault } from '#src/soak/strike.ts';
import type { Totals } from '#src/soak/totals.ts';

const main = fileURLToPath(new URL('../../src/soak/main.ts', import.meta.url));

interface Found {
  folder: string;
  command: string;
  totals: Totals;
  faults: Fault[];
}

// A lock without a fence is the mistake that it has to find, beside a guard without it. How much is sold is the
// machine's; that a booking between its read and its write is struck is not.
it('a soak finds the guard whose fence is missing, and no other one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'soak-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755); // Postgres may be somebody else
  const env = { ...process.env, TMPDIR: dir, LASTSEAT_HOME: join(dir, 'home') };
  const { code, found } = await soak(env, [
    '--seed=1',
    '--faults=2',
    '--name=redis-flush,pause-holder',
    '--strategy=simple-lock,fenced-lock',
  ]);
  expect(found.faults.flatMap(({ drills }) => drills).toSorted()).toEqual(
    expect.arrayContaining(['pause-holder', 'redis-flush']),
  );
  expect(found.faults.map(({ missed }) => missed)).toEqual([null, null]);
  // The audit looks at all events at once.
  const wrong = found.totals.violations.filter(({ of, check }) => of !== 'simple-lock' && check !== 'audit');
  expect(wrong).toEqual([]);
  const checks = found.totals.violations.map(({ check }) => check);
  expect(checks).toEqual(expect.arrayContaining(['oversold', 'audit']));
  expect({ code, open: found.totals.requests.open }).toEqual({ code: 1, open: 0 });
  expect(found.command).toContain('SEED=1 FAULTS=2');

  const file = readdirSync(found.folder).find((name) => name.startsWith('history')) ?? '';
  const lines = gunzipSync(readFileSync(join(found.folder, file)))
    .toString()
    .trimEnd()
    .split('\n');
  const operations = new Set(lines.map((line) => (JSON.parse(line) as Operation).operation));
  expect([...operations]).toEqual(
    expect.arrayContaining(['create', 'book', 'cancel', 'read', 'hold', 'count']),
  );
  expect(readdirSync(dir), 'the stack is gone').toEqual(['home']);
});

function soak(env: NodeJS.ProcessEnv, flags: readonly string[]): Promise<{ code: number; found: Found }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, '--json', ...flags], { env }, (error, stdout) => {
      resolve({ code: error ? Number(error.code) : 0, found: JSON.parse(stdout) as Found });
    });
  });
}
