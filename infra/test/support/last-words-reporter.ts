import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with the names of what it skipped and the reason: what was not run was not shown to work. */
export const skippedReporter: Reporter = {
  onTestRunEnd(modules) {
    const lines = new Set(modules.flatMap((module) => [...linesOf(module)]));
    if (lines.size > 0) process.stdout.write(`\n Skipped on this machine:\n${[...lines].join('')}`);
  },
};

function* linesOf(module: TestModule): Iterable<string> {
  for (const test of module.children.allTests('skipped')) {
    const result = test.result();
    const note = result.state === 'skipped' ? result.note : undefined;
    // A suite that is skipped as a whole says why in its name: one line for it will do.
    const { parent } = test;
    const name = note === undefined && parent.type === 'suite' ? parent.fullName : test.fullName;
    yield `   ${module.relativeModuleId}: ${name}${note === undefined ? '' : ` (${note})`}\n`;
  }
}
