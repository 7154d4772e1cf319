import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { mistakes, type Mistake, type Noticer } from './mistakes.ts';

// The tests of the locks are tested here: each of these mistakes, made in a copy of the library, must make one of
// them fail. A mistake whose place is not found exactly once fails too: then the list is out of date.
const testFiles: Record<Noticer, string> = {
  model: 'test/unit/queue-model.test.ts',
  scenarios: 'test/unit/queue-scenarios.test.ts',
  scripts: 'test/integration/queue-differential.test.ts',
  'simple scripts': 'test/integration/simple-differential.test.ts',
  'quorum scripts': 'test/integration/quorum-differential.test.ts',
  'quorum tokens': 'test/unit/quorum-tokens.test.ts',
  lease: 'test/unit/lease.test.ts',
  'with-lock': 'test/unit/with-lock.test.ts',
};

const library = new URL('../../', import.meta.url).pathname;
const nodeModules = new URL('../../../../node_modules', import.meta.url).pathname;
const vitest = join(nodeModules, 'vitest/vitest.mjs');

/** Several times what it takes on two cores. */
const runTimeoutMs = 120_000;

/** Of each file: `passed`, `failed`, or what kept it from being run. */
let outcomes: Map<string, string>;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mistakes-'));
  await symlink(nodeModules, join(dir, 'node_modules'));
  const right = Object.values(testFiles).map((file) => join('right', file));
  await copyLibrary('right');
  const wrong = await Promise.all(mistakes.map((mistake, index) => make(mistake, folder(index))));
  outcomes = await run([...right, ...wrong]);
}, 180_000);

afterAll(() => rm(dir, { recursive: true, force: true }));

test('without a mistake all tests pass', () => {
  const files = Object.values(testFiles).map((file) => [file, outcomes.get(join(dir, 'right', file))]);
  expect(files).toEqual(Object.values(testFiles).map((file) => [file, 'passed']));
});

describe('is noticed:', () => {
  test.each(mistakes)('$name', (mistake) => {
    const { noticedBy } = mistake;
    const index = mistakes.indexOf(mistake);
    expect(outcomes.get(join(dir, folder(index), testFiles[noticedBy]))).toBe('failed');
  });
});

function folder(index: number): string {
  return `wrong-${index}`;
}

async function copyLibrary(to: string): Promise<void> {
  for (const part of ['package.json', 'src', 'test']) {
    await cp(join(library, part), join(dir, to, part), { recursive: true });
  }
  // Where npm has put what it did not share among the workspaces; it may be nowhere.
  await symlink(join(library, 'node_modules'), join(dir, to, 'node_modules'));
}

/** @returns the test that must notice it */
async function make({ file, right, wrong, noticedBy }: Mistake, to: string): Promise<string> {
  await copyLibrary(to);
  const path = join(dir, to, 'src', file);
  const parts = (await readFile(path, 'utf8')).split(right);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places with: ${right}`);
  await writeFile(path, parts.join(wrong));
  return join(to, testFiles[noticedBy]);
}

/** All of them in one run of its own: starting one costs more than most tests. */
async function run(files: string[]): Promise<Map<string, string>> {
  const report = join(dir, 'report.json');
  const config = {
    include: files,
    setupFiles: ['setup.ts'],
    provide: { redisUrl: inject('redisUrl') },
    reporters: ['json'],
    outputFile: report,
    testTimeout: 30_000,
    // As in the run around this one: a busy machine is no mistake.
    expect: { poll: { timeout: 10_000 } },
  };
  await writeFile(join(dir, 'vitest.config.mjs'), `export default { test: ${JSON.stringify(config)} };\n`);
  // The first counterexample is enough here; making it smaller takes longer than finding it.
  const setup = "import fc from 'fast-check';\nfc.configureGlobal({ endOnFailure: true });\n";
  await writeFile(join(dir, 'setup.ts'), setup);
  // The same worlds in every run, and as many as it takes to notice each of the mistakes, twice over.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  const env = { ...Object.fromEntries(inherited), PROPERTY_RUNS: '100', FC_SEED: '1' };
  await new Promise<void>((resolve) => {
    // It fails: that is what it is for. The report says how.
    const options = { env, maxBuffer: 2 ** 26, timeout: runTimeoutMs, killSignal: 'SIGKILL' } as const;
    execFile(process.execPath, [vitest, 'run', '--root', dir], options, () => resolve());
  });
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as {
    testResults: { name: string; message: string; assertionResults: { status: string }[] }[];
  };
  return new Map(
    testResults.map(({ name, message, assertionResults }) => {
      const statuses = assertionResults.map(({ status }) => status);
      // A file that could not be loaded has neither passed nor noticed anything.
      if (statuses.length === 0) return [name, message];
      return [name, statuses.includes('failed') ? 'failed' : 'passed'];
    }),
  );
}
