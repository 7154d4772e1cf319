import { defineConfig } from 'vitest/config';

import { lastWordsReporter } from './infra/test/support/last-words-reporter.ts';

/** What is waited for comes at once on an idle machine. A busy one is slow, and no test may fail for that. */
const poll = { timeout: 10_000 };

// Three kinds of test, by what they need: `unit` needs nothing, `integration` needs Redis and Postgres (provided
// by infra/servers: containers where a Docker engine answers, native processes otherwise), `e2e` needs the whole
// stack. A test's folder says which kind it is.
const servers = {
  expect: { poll },
  globalSetup: ['infra/servers/vitest-global-setup.ts'],
  testTimeout: 50_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    // Most tests wait most of the time. By default vitest leaves one core free, and on two cores runs one file at a time.
    maxWorkers: 2,
    reporters: ['default', lastWordsReporter],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{services/*,infra,lab-frame,load,simulation}/test/unit/**/*.test.ts'],
          // Some play a hundred thousand steps: a second alone, and many where others keep the machine busy.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{services/*,infra,lab-frame,load,simulation}/test/integration/**/*.test.ts'],
          ...servers,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['{services/*,infra,lab-frame,load,simulation}/test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 240_000,
          expect: { poll },
          fileParallelism: false,
        },
      },
    ],
  },
});
