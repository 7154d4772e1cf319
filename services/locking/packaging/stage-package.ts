import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Writes the package, as it is published, into a folder of its own, from where `npm pack` and `npm publish` take it.
 *
 * A folder of its own, because npm packs what the `package.json` of a folder says, and in this repository that one says
 * something else: its `exports` are the TypeScript sources, which Node runs here without a build, but refuses to run
 * below `node_modules`. (npm has no way to replace `exports` while it packs.)
 */
export function stagePackage(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync(tsc, ['--project', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  embedLua(join(folder, 'dist/lua-file.js'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`);
  for (const file of documents) copyFileSync(join(root, file), join(folder, file));
  copyFileSync(join(repository, 'LICENSE'), join(folder, 'LICENSE'));
}

const root = fileURLToPath(new URL('..', import.meta.url));
const repository = join(root, '../..');
const tsc = join(repository, 'node_modules/.bin/tsc');
const documents = ['CHANGELOG.md', 'COMPARISON.md', 'PROTOCOL.md', 'README.md'];

/** What only concerns this repository. */
const ours = new Set(['private', 'scripts', 'imports', 'devDependencies']);

interface Manifest {
  readonly exports: Record<string, string>;
  readonly [field: string]: unknown;
}

function publishedManifest(): Record<string, unknown> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  const published = Object.entries(manifest).filter(([field]) => !ours.has(field));
  const entries = Object.entries(manifest.exports).map(([path, source]) => [path, builtFrom(source)]);
  return {
    ...Object.fromEntries(published),
    exports: { ...Object.fromEntries(entries), './package.json': './package.json' },
    files: ['dist', ...documents],
  };
}

/** Types first: TypeScript takes the first condition that it knows. */
function builtFrom(source: string): { types: string; default: string } {
  const file = source.replace('./src/', './dist/').replace(/\.ts$/, '');
  return { types: `${file}.d.ts`, default: `${file}.js` };
}

/** Replaces the one module that reads Lua files by one that has them in it, byte for byte: their hashes stay the same. */
function embedLua(module: string): void {
  const folder = join(root, 'src/lua');
  const texts = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
  const files = JSON.stringify(Object.fromEntries(texts), null, 2);
  writeFileSync(
    module,
    `const files = ${files};\nexport function readLua(file) {\n  return files[file];\n}\n`,
  );
  rmSync(`${module}.map`);
}
