import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { portIsFree } from '../../servers/free-port.ts';

// Whatever a run started is gone soon after the run was killed: otherwise every crash leaves servers behind.
test('servers, and their data, do not outlive a parent that was killed', { timeout: 60_000 }, async () => {
  const tmp = await mkdtemp(join(tmpdir(), 'crash-'));
  await chmod(tmp, 0o755); // Postgres, as a user of its own, must get through
  const parent = spawn(process.execPath, [fileURLToPath(new URL('parent-of-servers.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: tmp },
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const ports = JSON.parse(line.toString()) as number[];
  expect(await Promise.all(ports.map((port) => portIsFree(port)))).toEqual(ports.map(() => false));
  parent.kill('SIGKILL');
  await until(async () => (await Promise.all(ports.map((port) => portIsFree(port)))).every(Boolean));
  await until(async () => (await readdir(tmp)).every((name) => !name.startsWith('lastseat-')));
  await rm(tmp, { recursive: true });
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50); // the test's own time-out bounds it
}
