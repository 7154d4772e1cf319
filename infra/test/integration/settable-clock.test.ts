import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { expect, onTestFinished, test } from 'vitest';

import { settableClock } from '../../clocks/index.ts';

const HOUR_MS = 3_600_000;
const program = `
const toldAt = performance.now();
process.stdin.on('data', () => {
  const ms = [Date.now(), new Date().getTime(), Date.parse(Date()), new Date(5).getTime()];
  console.log(JSON.stringify({ ms, isDate: new Date() instanceof Date, tookMs: performance.now() - toldAt }));
});
console.log('{}');`;

test('a clock goes by its file from the start on, and again when it is told; what measures time does not notice', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'clock-'));
  const file = join(dir, 'clock');
  writeFileSync(file, String(HOUR_MS));
  const { nodeOptions, env } = settableClock(dir);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...env, INSTANCE_ID: 'clock', NODE_OPTIONS: nodeOptions },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    rmSync(dir, { recursive: true });
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const heard = async () => JSON.parse((await lines.next()).value ?? '') as Record<string, unknown>;
  /** Its four ways to tell the time, in hours from the machine's, and the date of five milliseconds after 1970. */
  async function ask() {
    child.stdin.write('?');
    const { ms, isDate, tookMs } = (await heard()) as { ms: number[]; isDate: boolean; tookMs: number };
    const [now = 0, made = 0, called = 0, given] = ms;
    const hours = [now, made, called].map((at) => Math.round((at - Date.now()) / HOUR_MS));
    return { hours, given, isDate, isMeasured: tookMs < HOUR_MS / 2 };
  }

  await heard();
  expect(await ask()).toEqual({ hours: [1, 1, 1], given: 5, isDate: true, isMeasured: true });
  writeFileSync(file, String(-2 * HOUR_MS));
  child.kill('SIGUSR2');
  expect(await heard()).toMatchObject({ aheadMs: -2 * HOUR_MS });
  expect(await ask()).toEqual({ hours: [-2, -2, -2], given: 5, isDate: true, isMeasured: true });
});
