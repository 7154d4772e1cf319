import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with what was not shown to work: the names of what was skipped and the reason, and last of all the names of
 * what failed, for of a long output often only the end is kept.
 */
export const lastWordsReporter: Reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    const skipped = new Set(modules.flatMap((module) => [...skippedOf(module)]));
    const failed = [
      ...modules.flatMap((module) => [...failedOf(module)]),
      ...unhandledErrors.map(({ message }) => `   in no test: ${firstLineOf(message)}\n`),
    ];
    if (skipped.size > 0) process.stdout.write(`\n Skipped on this machine:\n${[...skipped].join('')}`);
    if (failed.length > 0) process.stdout.write(`\n Failed:\n${failed.join('')}`);
  },
};

function* skippedOf(module: TestModule): Iterable<string> {
  for (const test of module.children.allTests('skipped')) {
    const result = test.result();
    const note = result.state === 'skipped' ? result.note : undefined;
    // A suite that is skipped as a whole says why in its name: one line for it will do.
    const { parent } = test;
    const name = note === undefined && parent.type === 'suite' ? parent.fullName : test.fullName;
    yield `   ${module.relativeModuleId}: ${name}${note === undefined ? '' : ` (${note})`}\n`;
  }
}

function* failedOf(module: TestModule): Iterable<string> {
  const suites = [...module.children.allSuites()];
  for (const { message } of [...module.errors(), ...suites.flatMap((suite) => suite.errors())]) {
    yield `   ${module.relativeModuleId}: ${firstLineOf(message)}\n`;
  }
  for (const test of module.children.allTests('failed')) {
    const [error] = test.result().errors ?? [];
    yield `   ${module.relativeModuleId}: ${test.fullName}: ${firstLineOf(error?.message ?? 'no reason given')}\n`;
  }
}

function firstLineOf(message: string): string {
  return message.split('\n', 1)[0] ?? '';
}
