import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../src/challenge/main.ts', import.meta.url));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wrong-strategies-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What the file says; null for none. The file lies outside the repository, and finds the service's door all the same. */
const FILES: [what: string, content: string | null, line: RegExp][] = [
  ['that is not there', null, /: there is no such file$/],
  ['without a default export', 'export const guard = () => {};', /: it has no default export/],
  ['that throws', 'throw new Error("out of order");', /: it cannot be loaded: out of order$/],
  [
    'whose strategy cannot book',
    'export default () => ({ name: "mine", guarantee: "always" });',
    /: book of mine must be a function/,
  ],
  [
    'whose name is taken',
    'export default () => ({ name: "row-lock", guarantee: "always", book() {} });',
    /: the name row-lock is taken: give it one of its own$/,
  ],
  [
    'that promises nothing',
    `import { SOLD_OUT, type LabStrategyFactory } from '@lastseat/booking/strategy';
     const mine: LabStrategyFactory = () => ({ name: 'mine', guarantee: 'none', book: async () => SOLD_OUT });
     export default mine;`,
    /: mine promises nothing/,
  ],
];

describe('before anything is started, one line and exit code 1 for a file', () => {
  it.each(FILES)('%s', async (what, content, line) => {
    const path = join(folder, `${what.replaceAll(' ', '-')}.ts`);
    if (content !== null) writeFileSync(path, content);
    const { code, stdout, stderr } = await run([main, `--strategy=${path}`]);
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});

function run(argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    // Nothing may be kept or started there.
    const env = { ...process.env, LASTSEAT_HOME: '/nowhere' };
    execFile(process.execPath, argv, { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
