import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, it } from 'vitest';

import { cpuByPart } from '#src/bench/stack/cpu-by-part.ts';

it.runIf(process.platform === 'linux')('takes every nginx for nginx, whatever number it is for', async () => {
  // Half a second of work, and then there until it is told to end.
  const script = `const until = performance.now() + 500; while (performance.now() < until); process.stdout.write('x'); process.stdin.resume()`;
  const child = spawn(process.execPath, ['-e', script]);
  try {
    await once(child.stdout, 'data');
    const self = process.pid;
    const used = (front: number): number | undefined =>
      cpuByPart({ nginx: front, 'nginx-for-4': child.pid!, 'booking-1': self, redis: self, postgres: self })
        ?.nginx;
    // Twice the same process is counted once more, so that the second one has been seen.
    expect(used(child.pid!)).toBeGreaterThan(0);
    expect(used(child.pid!)).toBeGreaterThanOrEqual(
      1.5 * (cpuByPart({ nginx: child.pid!, 'booking-1': self, redis: self, postgres: self })?.nginx ?? 0),
    );
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});
