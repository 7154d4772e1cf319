import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { applyChanges, type Change } from '@lastseat/infra/seeded-mistakes';

const ROOT = new URL('../../../../', import.meta.url);

/** What is made by programs, and the packages, which are linked. */
const LEFT_OUT = new Set(['.git', '.lastseat', 'node_modules', 'dist']);

/** The whole repository once more, with the changes: its packages are those of the copy. */
export interface Copy extends AsyncDisposable {
  dir: string;
}

/** Rejects where a place is not found exactly once: then the list of mistakes is out of date. */
export async function copyRepository(name: string, changes: readonly Change[]): Promise<Copy> {
  const changed = await applyChanges(ROOT, name, changes);
  const root = fileURLToPath(ROOT);
  // It may be reached by another name, and the packages are asked for theirs.
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'lastseat-mistake-')));
  const copy: Copy = { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
  try {
    await cp(root, dir, {
      recursive: true,
      filter: (path) => path === root || !LEFT_OUT.has(basename(path)),
    });
    for (const [file, text] of changed) await writeFile(join(dir, file), text);
    await linkPackages(root, dir);
  } catch (error) {
    await copy[Symbol.asyncDispose]();
    throw error;
  }
  return copy;
}

/** Those of others are the same ones; those of the repository are the copied ones. */
async function linkPackages(root: string, dir: string): Promise<void> {
  const ours = '@lastseat';
  const installed = join(root, 'node_modules');
  await mkdir(join(dir, 'node_modules', ours), { recursive: true });
  for (const name of await readdir(installed)) {
    if (name !== ours) await symlink(join(installed, name), join(dir, 'node_modules', name));
  }
  for (const name of await readdir(join(installed, ours))) {
    const path = relative(await realpath(root), await realpath(join(installed, ours, name)));
    await symlink(join(dir, path), join(dir, 'node_modules', ours, name));
    // Where npm has put what this package does not share with the others; it may be nowhere.
    await symlink(join(root, path, 'node_modules'), join(dir, path, 'node_modules'));
  }
}
