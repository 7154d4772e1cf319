import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { nativeCluster } from '../../cluster/index.ts';
import { forgetUnreaped } from '../../native/postgres.ts';
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

test.runIf(process.platform === 'linux')(
  'a Postgres that was killed and not yet reaped does not keep the next one from starting, one that runs does',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lastseat-cluster-'));
    // Nobody reaps the child: it ends only when the shell that started it has become another program.
    const script = `while grep -q '^sh$' /proc/$$/comm; do sleep 0.01; done & echo $!; exec sleep 60`;
    const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => {
      parent.kill('SIGKILL');
      rmSync(dir, { recursive: true });
    });
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = Number(said.toString());
    await expect.poll(() => findProcess(zombie), { timeout: 30_000 }).toBeNull();
    const path = join(dir, 'postmaster.pid');
    const isKept = (pid: number) => {
      writeFileSync(path, `${pid}\n${dir}\n`);
      forgetUnreaped(dir);
      return existsSync(path);
    };
    expect(isKept(zombie)).toBe(false);
    expect(isKept(parent.pid ?? 0)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(isKept(parent.pid ?? 0)).toBe(true);
  },
);
