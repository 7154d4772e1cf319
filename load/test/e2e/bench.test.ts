import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Figure } from '@lastseat/lab-frame/figures/figure.ts';
import { expect, it, onTestFinished } from 'vitest';

import type { Measurements } from '#src/bench/measurements.ts';

import { endWithTest, runNode } from '../../../infra/test/support/end-with-test.ts';

const main = fileURLToPath(new URL('../../src/bench/main.ts', import.meta.url));

it('measures a stack of its own, agrees with Postgres, and leaves nothing behind', async () => {
  const flags = ['--quick', '--only=atomic-update,batched-update', '--connections=64', '--window-ms=300'];
  const dir = mkdtempSync(join(tmpdir(), 'bench-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755); // Postgres may be somebody else
  const { stdout } = await runNode([main, ...flags, '--parts=speed,exactness,messages', '--json'], {
    ...process.env,
    TMPDIR: dir,
  });
  const report = JSON.parse(stdout) as Measurements & { good: boolean; figures: Figure[] };

  expect(report.good).toBe(true);
  const hot = report.cells.filter(({ events }) => events === 1);
  expect(hot.map(({ guard }) => guard).sort()).toEqual([
    'atomic-update',
    'batched-update',
    'batched-update at home',
    'holds at home',
    'keyed bookings at home',
    'limited bookings at home',
    'no-op',
  ]);
  const cell = hot.find(({ guard }) => guard === 'atomic-update')!;
  expect(cell.rows).toBe(cell.statuses['201']);
  expect(cell).toMatchObject({ connections: 64, events: 1, started: cell.answered, uncounted: 0 });
  expect(cell.bookingsPerS).toBeGreaterThan(0);
  expect(cell.latencyMs?.p99).toBeGreaterThan(0);
  if (process.platform === 'linux') expect(cell.cpuCores?.postgres).toBeGreaterThan(0);

  expect(report.commitCycles).toMatchObject([{ repeat: 1, batch: 32, ms: expect.any(Number) }]);

  // One statement, one round trip, and nothing that Redis would have to know. Connections have their signs of life, of
  // which there are the more for each booking the slower the machine is.
  const messages = report.messages.find(({ guard }) => guard === 'atomic-update')!;
  const { statements, postgresRoundTrips, redisCommands } = messages;
  expect(statements).toBeCloseTo(1, 0);
  expect(postgresRoundTrips).toBeCloseTo(1, 0);
  expect(redisCommands).toBeLessThan(0.5);

  for (const run of report.exactness) expect(run).toMatchObject({ confirmed: 20, oversold: 0 });
  const counted = report.figures.filter(({ target }) => target.startsWith('='));
  expect(counted.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['tickets oversold in a run, by guards that promise never to', 'met'],
    ['tickets undersold in a run, by any guard', 'met'],
  ]);

  expect(readdirSync(dir)).toEqual([]);
});

it('ends in order when it is interrupted while its stack is only being started', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'bench-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755);
  // A group of its own: Ctrl-C on a terminal reaches the servers too.
  const bench = endWithTest(
    spawn(process.execPath, [main, '--quick'], {
      env: { ...process.env, TMPDIR: dir, RUNTIME: 'native' },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    }),
  );
  let said = '';
  bench.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await expect.poll(() => readdirSync(dir).length).toBeGreaterThan(0);
  process.kill(-bench.pid!, 'SIGINT');
  const [code] = (await once(bench, 'close')) as [number | null];
  // How far it had come by then depends on the machine: what it says of its progress ends with three dots.
  expect(said).toContain('interrupted: removing what was started ...\n');
  expect(said).toMatch(/^(.* \.\.\.\n)*interrupted\n$/);
  expect(code).toBe(1);
  expect(readdirSync(dir)).toEqual([]);
});
