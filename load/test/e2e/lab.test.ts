import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it, onTestFinished } from 'vitest';

import { readRaces } from '#src/race/keep-race.ts';
import { overlaps } from '#src/race/race.ts';
import type { LabRun, Slice } from '#src/runs/run.ts';
import { readRun } from '#src/runs/store.ts';

import { endWithTest, runNode } from '../../../infra/test/support/end-with-test.ts';

const main = fileURLToPath(new URL('../../src/lab/main.ts', import.meta.url));
const runsMain = fileURLToPath(new URL('../../src/runs/list/main.ts', import.meta.url));
const compareMain = fileURLToPath(new URL('../../src/runs/compare/main.ts', import.meta.url));

it('measures a matrix, keeps what it found, and compares it', async () => {
  const { env, dir } = room();
  const flags = ['--workload=last-ticket', '--strategy=no-lock,atomic-update', '--replicas=2', '--repeats=1'];
  const { stdout } = await runNode([main, ...flags, '--buyers=300', '--json'], env);
  const run = JSON.parse(stdout) as LabRun;
  expect(run).toMatchObject({ format: 'lastseat-run/1', isComplete: true });
  expect(run.cells.map(({ strategy, replicas }) => `${strategy} ${replicas}`)).toEqual([
    'no-op 2',
    'no-lock 2',
    'atomic-update 2',
  ]);
  for (const { slices, strategy } of run.cells) {
    const [slice] = slices;
    expect(slices).toHaveLength(1);
    expect(slice).toMatchObject({ requests: { started: 300, answered: 300, unknown: 0 } });
    if (strategy === 'atomic-update') {
      expect(slice!.void).toBeNull();
      expect(slice).toMatchObject({ answers: { booked: 1, refused: 299 } });
      expect(slice!.latency.refused!.count).toBe(299);
    }
    if (strategy === 'no-lock') expect(slice!.void).toMatch(/sold/);
    // As a process nginx is one of several, each for a number of replicas; what it uses is in hundredths of a second.
    if (process.platform === 'linux') expect(Object.keys(slice!.cpuCores ?? {})).toContain('nginx');
  }
  expect(readRun(join(dir, 'home', 'runs', 'latest')).run).toEqual(run);

  // One statement for each booking, and nothing that Redis would have to know.
  expect(run.roundTrips).toMatchObject([{ strategy: 'no-lock' }, { strategy: 'atomic-update' }]);
  expect(run.roundTrips![1]!.statements).toBeCloseTo(1, 0);
  expect(run.roundTrips![1]!.postgresRoundTrips).toBeCloseTo(1, 0);
  expect(run.limits).toEqual({});

  const [unguarded, guarded] = readRaces(join(dir, 'home', 'runs', 'latest'));
  expect(unguarded).toMatchObject({ strategy: 'no-lock', tickets: 2 });
  expect(unguarded!.rows).toBeGreaterThan(2);
  expect(overlaps(unguarded!)).toBeGreaterThan(0);
  expect(guarded).toMatchObject({ strategy: 'atomic-update', rows: 2 });
  for (const { marks } of [...unguarded!.buyers, ...guarded!.buyers]) {
    expect([marks[0]?.name, marks.at(-1)?.name]).toEqual(['arrived', 'answered']);
  }
  const page = readFileSync(join(dir, 'home', 'runs', 'latest', 'report.html'), 'utf8');
  expect(page).toMatch(/OVERSOLD: \d+ bookings for 2 tickets/);

  const listed = await runNode([runsMain], env);
  expect(listed.stdout).toContain(run.id);
  const compared = await runNode([compareMain, '--a=latest', `--b=${run.id}`], env);
  expect(compared.stdout).toContain('Nothing can be told');
});

it('strikes a slice in its middle, and shows what its guard does not survive', async () => {
  const { env, dir } = room();
  const load = ['--strategy=simple-lock', '--replicas=2', '--connections=8', '--repeats=1'];
  // On a machine that is busy the fault may come too late for the bookings that were held: then nothing is shown.
  await runNode([main, ...load, '--fault=pause-holder'], env).catch(() => {});
  const { folder, run } = readRun(join(dir, 'home', 'runs', 'latest'));
  expect(run).toMatchObject({ isComplete: true, cells: [{ fault: 'pause-holder' }] });
  const { strike, checks, void: reason } = run.cells[0]!.slices[0]!;
  const found = (check: string) => checks.find((verdict) => verdict.check === check);
  expect(strike!.lastedMs).toBeGreaterThan(2_000);
  const isBroken = checks.some(({ verdict }) => verdict === 'failed');
  expect(found('fault_struck')!.verdict === 'passed').toBe(isBroken && strike!.held.struck > 0);
  expect(found('oversold')!.isExpected === true).toBe(strike!.oversold > 0);
  expect(checks.filter(({ verdict, isExpected }) => verdict === 'failed' && !isExpected)).toEqual([]);
  expect(reason).not.toBeNull();
  // The race of it: who was paused did nothing meanwhile.
  const races = readRaces(folder);
  expect(races.map(({ fault }) => fault)).toEqual([undefined, 'pause-holder']);
  expect(races[1]!.pauses).toMatchObject([{ isKilled: false, toMs: expect.any(Number) }]);
});

// It waits for holds to end, beside whatever else the machine does.
it('keeps what is done when it is interrupted', { timeout: 200_000 }, async () => {
  const { env, dir } = room();
  const flags = ['--workload=holds', '--strategy=atomic-update', '--replicas=1', '--repeats=500'];
  const lab = endWithTest(
    spawn(process.execPath, [main, ...flags], { env, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  let said = '';
  lab.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const latest = join(dir, 'home', 'runs', 'latest', 'run.json');
  const slices = (): Slice[] =>
    existsSync(latest) ? (JSON.parse(readFileSync(latest, 'utf8')) as LabRun).cells[1]!.slices : [];
  await expect.poll(() => slices().length, { timeout: 150_000 }).toBeGreaterThan(0);
  lab.kill('SIGINT');
  const [code] = (await once(lab, 'close')) as [number | null];
  expect(code).toBe(130);
  expect(said).toContain('interrupted before its end');
  expect(JSON.parse(readFileSync(latest, 'utf8'))).toMatchObject({ isComplete: false });
  expect(readdirSync(dir)).toEqual(['home']);

  // Holds that were confirmed, and holds that have ended, in an order that a counter alone explains.
  const [slice] = slices();
  expect(slice!.void).toBeNull();
  expect(slice!.answers.held).toBeGreaterThan(slice!.answers.confirmed!);
  expect(slice!.answers.confirmed).toBeGreaterThan(0);
});

/** A place for its runs and for the stack that it starts, and nothing else. */
function room() {
  const dir = mkdtempSync(join(tmpdir(), 'lab-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755); // Postgres may be somebody else
  return { dir, env: { ...process.env, TMPDIR: dir, LASTSEAT_HOME: join(dir, 'home') } };
}
