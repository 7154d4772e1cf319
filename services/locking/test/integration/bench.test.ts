import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { endWithTest } from '../../../../infra/test/support/end-with-test.ts';

const program = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function bench(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
    endWithTest(child);
  });
}

describe('the lock bench', () => {
  it('measures a lock on real processes and a real Redis, and reports it to people and programs', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lastseat-bench-lock-'));
    const file = join(dir, 'bench.json');
    try {
      const only = ['--quick', '--only', 'simple', '--workload', '4x16,hand-over'];
      const { code, stdout, stderr } = await bench([...only, `--json=${file}`]);
      expect(stderr).not.toContain('Error');
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /4 processes × 16 waiters, one name, in rounds, empty critical section\n.*grants\/s/,
      );
      expect(stdout).toContain('What it has to reach');
      expect(stdout).not.toContain('\x1b');

      const report = JSON.parse(await readFile(file, 'utf8'));
      expect(report.format).toBe('lastseat-bench-lock/3');
      const [run] = report.runs;
      expect(run).toMatchObject({
        contender: 'simple',
        workload: '4x16',
        overlaps: 0,
        tokensNotRising: 0,
        failures: 0,
      });
      expect(run.grants).toBeGreaterThan(0);
      // Taking it and giving it back, at the very least.
      expect(run.requestsPerGrant).toBeGreaterThanOrEqual(1.5);
      expect(report.bareTrips[0].pairs).toBeGreaterThan(0);
      // There is no figure of the simple lock, and none of a lock that was not measured.
      expect(report.figures).toEqual([]);
    } finally {
      await rm(dir, { recursive: true });
    }
  }, 180_000);

  it('refuses a wrong option in one line', async () => {
    const { code, stdout, stderr } = await bench(['--only', 'nothing']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^--only nothing: one or several of .*\n$/);
  });

  it('says what it can do', async () => {
    const { code, stdout } = await bench(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--quick');
  });
});
