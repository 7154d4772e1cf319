import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { nativeCluster } from '../../cluster/index.ts';
import { findProcess } from '../../servers/processes.ts';

test('a signal goes to the process that was started here, and to nobody who got its number since', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lastseat-cluster-'));
  const child = spawn('sleep', ['60']);
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true });
  });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const startedAt = findProcess(pid)?.startedAt ?? '';
  const writeState = (record: object) => {
    mkdirSync(join(home, 'native', 'x'), { recursive: true });
    const state = { wanted: null, dataDir: null, ports: {}, parts: { 'booking-1': record } };
    writeFileSync(join(home, 'native', 'x', 'state.json'), JSON.stringify(state));
  };
  const cluster = nativeCluster('x', { home });
  const stateOf = async () => (await cluster.parts()).map(({ state }) => state);

  writeState({ pid, startedAt: `${startedAt}0` });
  expect(await stateOf()).toEqual(['stopped']);
  for (const strike of [cluster.pause, cluster.resume, cluster.kill]) {
    await expect(strike('booking-1')).rejects.toThrow('booking-1: it is not running');
  }
  expect(findProcess(pid)).toMatchObject({ startedAt, isStopped: false });

  writeState({ pid, startedAt });
  await cluster.pause('booking-1');
  expect(await stateOf()).toEqual(['paused']);
  expect(findProcess(pid)).toMatchObject({ isStopped: true });
  await cluster.resume('booking-1');
  expect(await stateOf()).toEqual(['running']);
  await cluster.kill('booking-1');
  expect(await stateOf()).toEqual(['stopped']);
  expect(findProcess(pid)).toBeNull();
});
