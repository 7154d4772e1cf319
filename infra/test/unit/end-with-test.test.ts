import { spawn, type ChildProcess } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { endWithTest } from '../support/end-with-test.ts';

describe('a program that a test has started', () => {
  const started: ChildProcess[] = [];
  const startOne = (): void => void started.push(endWithTest(spawn('sleep', ['300'])));

  // Both are meant to fail; the one below looks at what they have left behind.
  it.fails('and that runs out of time', { timeout: 50 }, async () => {
    startOne();
    await expect(new Promise(() => {})).resolves.toBe('never');
  });

  it.fails('and that fails', () => {
    startOne();
    expect('this').toBe('that');
  });

  it('ends with it', () => {
    expect(started.map(({ signalCode }) => signalCode)).toEqual(['SIGTERM', 'SIGTERM']);
  });
});
