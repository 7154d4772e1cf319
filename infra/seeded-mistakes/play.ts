import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { applyChanges } from './change.ts';
import type { Mistake } from './mistake.ts';
import { runTests } from './run-tests.ts';

/**
 * Makes each mistake in a copy of the package and runs the one test file that must notice it. The right package is
 * played along: a test that fails anyhow notices nothing.
 */

/** `passed`, `failed`, or what kept the file from being run. */
type Outcome = string;

export interface Played<Noticer extends string> {
  /** What became of each test file without a mistake. */
  readonly right: Record<Noticer, Outcome>;
  /** What became of the test file that must notice it, in the order of the mistakes. */
  readonly wrong: readonly Outcome[];
}

export interface PlayOptions<Noticer extends string> {
  /** The package's folder. */
  root: URL;
  testFiles: Record<Noticer, string>;
  mistakes: readonly Mistake<Noticer>[];
  /** What the tests `inject`. */
  provide: Record<string, unknown>;
  env?: Record<string, string>;
  /** Some mistakes make a test wait for ever: what it takes on a busy machine, and not much more. */
  testTimeoutMs?: number;
}

const nodeModules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Rejects where a mistake's place is not found exactly once: then the list is out of date. */
export async function playMistakes<Noticer extends string>(
  options: PlayOptions<Noticer>,
): Promise<Played<Noticer>> {
  const { root, testFiles, mistakes, provide, env = {}, testTimeoutMs = 30_000 } = options;
  const noticers = Object.entries(testFiles) as [Noticer, string][];
  const wrongFiles = await readWrongFiles(root, mistakes);
  const dir = await mkdtemp(join(tmpdir(), 'mistakes-'));
  try {
    await symlink(nodeModules, join(dir, 'node_modules'));
    await copyPackage(root, join(dir, 'right'));
    const wrong = await Promise.all(
      mistakes.map(async (mistake, index) => {
        const copy = join(dir, `wrong-${index}`);
        await copyPackage(root, copy);
        await writeFile(join(copy, 'src', mistake.file), wrongFiles[index] ?? '');
        return join(copy, testFiles[mistake.noticedBy]);
      }),
    );
    const right = noticers.map(([, file]) => join(dir, 'right', file));
    const outcomes = await runTests([...right, ...wrong], { dir, nodeModules, provide, env, testTimeoutMs });
    const outcomeOf = (file: string | undefined) => outcomes.get(file ?? '') ?? 'was not run';
    return {
      right: Object.fromEntries(noticers.map(([noticer], i) => [noticer, outcomeOf(right[i])])) as Record<
        Noticer,
        Outcome
      >,
      wrong: wrong.map(outcomeOf),
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function copyPackage(root: URL, to: string): Promise<void> {
  for (const part of ['package.json', 'src', 'test']) {
    await cp(new URL(part, root), join(to, part), { recursive: true });
  }
  // Where npm has put what it did not share among the workspaces; it may be nowhere.
  await symlink(fileURLToPath(new URL('node_modules', root)), join(to, 'node_modules'));
}

/** The whole of each file with its mistake. Before anything is copied: what is wrong with the list is said for all of it. */
async function readWrongFiles(root: URL, mistakes: readonly Mistake[]): Promise<string[]> {
  const sources = new URL('src/', root);
  const changed = await Promise.allSettled(
    mistakes.map(async (mistake) => applyChanges(sources, mistake.name, [mistake])),
  );
  const misplaced = changed.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as Error).message] : [],
  );
  if (misplaced.length > 0) throw new Error(misplaced.join('\n'));
  return changed.flatMap((one) => (one.status === 'fulfilled' ? one.value.values().toArray() : []));
}
