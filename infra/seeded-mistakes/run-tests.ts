import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Several times what it takes on two cores. */
const RUN_TIMEOUT_MS = 150_000;

/**
 * The same worlds in every run. And one failure is enough: making a counterexample smaller takes longer than finding
 * it, and what comes after the first may wait for something that the mistake has made impossible.
 */
const setup = `
import fc from 'fast-check';
import { afterEach, beforeEach } from 'vitest';

fc.configureGlobal({ endOnFailure: true, seed: 1 });
let isNoticed = false;
beforeEach(({ skip }) => skip(isNoticed));
afterEach(({ task }) => {
  isNoticed ||= task.result?.state === 'fail';
});
`;

interface RunOptions {
  /** Holds the files, and gets what the run needs. */
  dir: string;
  nodeModules: string;
  provide: Record<string, unknown>;
  env: Record<string, string>;
  testTimeoutMs: number;
}

/**
 * All files in one run of Vitest, apart from the one around it: starting one costs more than most tests.
 * @returns of each file `passed`, `failed`, or what kept it from being run
 */
export async function runTests(
  files: readonly string[],
  { dir, nodeModules, provide, env, testTimeoutMs }: RunOptions,
): Promise<Map<string, string>> {
  const report = join(dir, 'report.json');
  const config = {
    include: files,
    setupFiles: ['setup.ts'],
    provide,
    reporters: ['json'],
    outputFile: report,
    testTimeout: testTimeoutMs,
    hookTimeout: 60_000,
    // As in the run around this one: a busy machine is no mistake.
    expect: { poll: { timeout: 10_000 } },
  };
  await writeFile(join(dir, 'vitest.config.mjs'), `export default { test: ${JSON.stringify(config)} };\n`);
  await writeFile(join(dir, 'setup.ts'), setup);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  await new Promise<void>((resolve) => {
    // It fails: that is what it is for. The report says how.
    execFile(
      process.execPath,
      [join(nodeModules, 'vitest/vitest.mjs'), 'run', '--root', dir],
      {
        env: { ...Object.fromEntries(inherited), ...env },
        maxBuffer: 2 ** 26,
        timeout: RUN_TIMEOUT_MS,
        killSignal: 'SIGKILL',
      },
      () => resolve(),
    );
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
