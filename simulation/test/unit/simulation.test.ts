import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { VARIABLES } from '@lastseat/infra/command-line';
import { expect, test } from 'vitest';

import { readOptions, variables } from '../../options.ts';
import type { Found } from '../../run.ts';

// In a process of its own: it puts its own time in the place of Node's. Seeds are given, so that a run is the same each time.
const program = fileURLToPath(new URL('../../main.ts', import.meta.url));

function simulate(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { maxBuffer: 1e8 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function found(...args: string[]): Promise<Found & { code: number }> {
  const { code, stdout, stderr } = await simulate(...args, '--json');
  if (stdout === '') throw new Error(stderr);
  return { ...(JSON.parse(stdout) as Found), code };
}

/** What is above the table; below it is the rate. */
function traceOf({ stdout }: { stdout: string }): string {
  return stdout.slice(0, stdout.indexOf('PASS'));
}

test('one order of its operations explains each history of every strategy that promises it', async () => {
  const { code, histories, failure } = await found('--seed=1', '--histories=1400');
  expect({ code, histories, failure }).toEqual({ code: 0, histories: 1_400, failure: null });
});

test('the lock without a fence is seen to oversell', async () => {
  const { code, strategies } = await found('--seed=1', '--histories=100', '--strategy=simple-lock');
  expect(strategies['simple-lock']?.broken).toBeGreaterThan(0);
  expect(code).toBe(0);
});

test('a seed is a history: played again, its trace is the same to the byte', async () => {
  const args = ['--seed=46', '--histories=1', '--strategy=batched-lock', '--trace'];
  const [one, other] = await Promise.all([simulate(...args), simulate(...args)]);
  expect(traceOf(one).split('\n').length).toBeGreaterThan(20);
  expect(traceOf(other)).toBe(traceOf(one));
});

test.each([
  ['release-before-commit', 200],
  ['token-unchecked', 400],
  ['in-doubt-is-failed', 200],
  ['in-doubt-is-new', 200],
  ['version-unchecked', 200],
  ['batch-token-unchecked', 400],
  ['one-too-many', 200],
  ['not-found-is-not-booked', 200],
  ['row-locked-outside-the-transaction', 200],
  ['read-committed', 200],
  ['refusals-from-an-old-read', 200],
  ['postgres-has-not-the-last-word', 400],
  ['equal-token-after-failover', 400],
])('the mistake %s is found', async (mistake, histories) => {
  const { code, failure } = await found('--seed=1', `--histories=${histories}`, `--mistake=${mistake}`);
  expect(failure?.problems).not.toEqual([]);
  expect(code).toBe(0);
});

test('a history that fails is made smaller, and its command plays it again', async () => {
  const { failure } = await found('--seed=500', '--histories=200', '--mistake=token-unchecked');
  const { command = '', parts = 0, problems, trace } = failure ?? {};
  const words = command.split(' ').filter((word) => word.includes('=') && !word.startsWith('TRACE'));
  const again = await found(
    ...words.map((word) => `--${word.replace(/^\w+/, (name) => name.toLowerCase())}`),
  );
  expect(/ONLY=(\S+)/.exec(command)?.[1]?.split(',').length).toBeLessThan(parts);
  expect(again.failure?.problems).toEqual(problems);
  expect(again.failure?.trace).toEqual(trace);
});

test.each([
  [{ ONLY: 'a1,x2' }, /^ONLY=x2: parts are a1, b1 /],
  [{ MISTAKE: 'all', STRATEGY: 'row-lock' }, /^STRATEGY says nothing to MISTAKE=all/],
])('%j is refused', (env, line) => {
  expect(() => readOptions([], env)).toThrow(line);
});

test('a part that the history has not is refused, for without it nothing would be played and nothing found', async () => {
  const { code, stderr } = await simulate('--seed=3', '--histories=1', '--only=a1,a99');
  expect(stderr).toMatch(/^ONLY=a99: history 3 has .*\ba1\b/);
  expect(code).toBe(2);
});

test('what it reads may stand on the command line of make', () => {
  expect(variables().filter((name) => !VARIABLES.includes(name))).toEqual([]);
});
