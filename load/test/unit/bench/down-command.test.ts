import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { downCommand } from '#src/bench/stack/start-stack.ts';

it('a stack is taken down whatever the numbers of a bench would mean to it', () => {
  const home = mkdtempSync(join(tmpdir(), 'down-test-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const [program = '', ...args] = downCommand('lastseat-none', home, 'native');
  const env = { ...process.env, REPLICAS: '1,2,4', MAKEFLAGS: undefined, QUORUM: 'x', PORT: 'none' };
  expect(execFileSync(program, args, { env, encoding: 'utf8' })).toContain('its data is gone');
});
