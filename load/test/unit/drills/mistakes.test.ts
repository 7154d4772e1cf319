import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { STRATEGY_NAMES } from '@lastseat/booking/contract';
import { applyChanges } from '@lastseat/infra/seeded-mistakes';
import { describe, expect, it } from 'vitest';

import { DRILL_NAMES } from '#src/drills/drills.ts';
import { copyRepository } from '#src/drills/mistakes/copy-repository.ts';
import { MISTAKES } from '#src/drills/mistakes/mistakes.ts';

const root = new URL('../../../../', import.meta.url);

describe('a seeded mistake', () => {
  it.each(MISTAKES)('$name is one that can be made', async ({ name, changes, drill, strategy }) => {
    await expect(applyChanges(root, name, changes)).resolves.toBeDefined();
    expect(DRILL_NAMES).toContain(drill);
    expect(STRATEGY_NAMES).toContain(strategy);
  });

  it('is made in a copy, whose packages are its own, and which is gone afterwards', async () => {
    const change = { file: 'load/package.json', right: '"@lastseat/load"', wrong: '"@lastseat/wrong"' };
    const copy = await copyRepository('some', [change]);
    const found = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', `console.log(import.meta.resolve('@lastseat/booking/contract'))`],
      { cwd: join(copy.dir, 'load') },
    );
    expect(found.stdout).toContain(`${copy.dir}/services/booking/src/contract.ts`);
    expect(readFileSync(join(copy.dir, 'load/package.json'), 'utf8')).toContain('@lastseat/wrong');
    expect(existsSync(join(copy.dir, '.git'))).toBe(false);
    await copy[Symbol.asyncDispose]();
    expect(existsSync(copy.dir)).toBe(false);
    expect(readFileSync(new URL('load/package.json', root), 'utf8')).not.toContain('@lastseat/wrong');
  });
});
