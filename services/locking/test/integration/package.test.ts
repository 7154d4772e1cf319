import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startRedis, type Server } from '@lastseat/infra/servers';
import * as esbuild from 'esbuild';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { stagePackage } from '../../packaging/stage-package.ts';

/** The package as its users have it: packed, and installed into an empty project outside the repository. */

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../../..', import.meta.url));
const bin = (name: string) => join(repository, 'node_modules/.bin', name);

/** A compiler takes seconds, and on a busy machine many. */
const slowMs = 120_000;

/** The major versions of Node that are maintained; the repository has the newest one itself. */
const olderNodes = [22, 24];

let folder: string;
let project: string;
let tarball: string;
let packed: string[];
let server: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lastseat-package-'));
  const staged = join(folder, 'staged');
  project = join(folder, 'project');
  stagePackage(staged);
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: staged });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  tarball = join(folder, filename);
  packed = files.map(({ path }) => path);

  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{ "private": true }');
  await install(project, tarball, 'ioredis@6', '@types/node@22');
  await writeFile(join(project, 'program.mjs'), `${imports}${program}`);
  await writeFile(join(project, 'program.cjs'), `${requires}${program}`);
  server = await startRedis();
}, 120_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const imports = `import { createQueueLock, createQuorumLock, createSimpleLock } from '@lastseat/locking';
import { Redis } from 'ioredis';
`;

const requires = `const { createQueueLock, createQuorumLock, createSimpleLock } = require('@lastseat/locking');
const { Redis } = require('ioredis');
`;

/** Takes each kind of lock. (Three databases stand for three servers.) */
const program = `
async function main() {
  const redises = [0, 1, 2].map((db) => new Redis(process.argv[2], { db }));
  for (const locks of [createQueueLock(redises[0]), createSimpleLock(redises[0]), createQuorumLock(redises)]) {
    const token = await locks.withLock('seat', (lease) => lease.token);
    console.log(Number.isSafeInteger(token));
    await locks[Symbol.asyncDispose]();
  }
  for (const redis of redises) redis.disconnect();
}
main();
`;

async function expectLocks(node: string, file: string): Promise<void> {
  const { stdout, stderr } = await run(node, [file, server.url], { cwd: project, timeout: 30_000 });
  expect(stdout).toBe('true\ntrue\ntrue\n');
  expect(stderr).toBe('');
}

describe('the tarball', () => {
  test('has JavaScript, source maps, declarations and documents in it, and nothing else', () => {
    const kinds = packed.map((path) => path.replace(/^dist\/.*?(\.d\.ts|\.js|\.js\.map)$/, 'dist/*$1'));
    const once = [...new Set(kinds)].sort();
    const documents = ['CHANGELOG.md', 'COMPARISON.md', 'LICENSE', 'PROTOCOL.md', 'README.md'];
    expect(once).toEqual([...documents, 'dist/*.d.ts', 'dist/*.js', 'dist/*.js.map', 'package.json']);
    expect(packed).toContain('dist/index.js');
  });

  test('is clean to publint', async () => {
    await expect(run(bin('publint'), ['run', tarball, '--strict'])).resolves.toBeDefined();
  });

  test('is clean to "are the types wrong"', async () => {
    // It knows no version of Node in which `require` loads an ES module: all that are maintained do.
    const args = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--no-color', tarball];
    await expect(run(bin('attw'), args)).resolves.toBeDefined();
  });
});

test(
  'the API reference is made without a warning: everything that is public is exported and has its place',
  async () => {
    const locking = fileURLToPath(new URL('../..', import.meta.url));
    const typedoc = join(locking, 'node_modules/typedoc/bin/typedoc');
    const options = { cwd: locking };
    await expect(run(process.execPath, [typedoc, '--emit', 'none'], options)).resolves.toBeDefined();
  },
  slowMs,
);

describe('a project that installs it', () => {
  test('takes locks by import and by require', async () => {
    await expectLocks(process.execPath, 'program.mjs');
    await expectLocks(process.execPath, 'program.cjs');
  });

  test.for(olderNodes)('takes locks on Node %i', async (major, { skip }) => {
    const node = await nodeOf(major);
    if (node === null) return skip('it is not here, and the registry cannot be reached');
    expect((await run(node, ['--version'])).stdout).toMatch(new RegExp(`^v${major}\\.`));
    await expectLocks(node, 'program.mjs');
    await expectLocks(node, 'program.cjs');
  });

  test(
    'is checked by the strictest TypeScript, libraries included',
    async () => {
      await writeFile(join(project, 'typed.ts'), typed);
      // The newest TypeScript, and the one before it, which makes the API reference.
      const older = join(repository, 'services/locking/node_modules/.bin/tsc');
      await expectTypes(project, bin('tsc'), older);
    },
    slowMs,
  );

  test('takes locks from a bundle of esbuild', async () => {
    const outfile = join(project, 'esbuild/bundle.cjs');
    const format = { format: 'cjs', platform: 'node', target: 'node22' } as const;
    await esbuild.build({ entryPoints: [join(project, 'program.mjs')], bundle: true, outfile, ...format });
    await expectLocks(process.execPath, outfile);
  });

  test('takes locks from a bundle of rolldown', async () => {
    const file = join(project, 'rolldown/bundle.mjs');
    const bundle = await rolldown({ input: join(project, 'program.mjs'), platform: 'node' });
    await bundle.write({ file, format: 'esm' });
    await bundle.close();
    await expectLocks(process.execPath, file);
  });
});

describe('a project without any client library', () => {
  test(
    'uses the memory lock, and has its types',
    async () => {
      const alone = join(folder, 'alone');
      await mkdir(alone);
      await writeFile(join(alone, 'package.json'), '{ "private": true, "type": "module" }');
      await install(alone, '--omit=peer', tarball, '@types/node@22');
      expect(existsSync(join(alone, 'node_modules/ioredis'))).toBe(false);
      await writeFile(join(alone, 'typed.ts'), inMemory);
      await expectTypes(alone, bin('tsc'));
      const { stdout } = await run(process.execPath, ['typed.ts'], { cwd: alone });
      expect(stdout).toBe('true\n');
    },
    slowMs,
  );
});

describe('a project with another client library, and no other', () => {
  test.for([
    ['redis@6', "import { createClient } from 'redis';", 'await createClient({ url }).connect()', 'close'],
    ['iovalkey@0.4', "import { Redis } from 'iovalkey';", 'new Redis(url)', 'disconnect'],
  ] as const)(
    'takes locks, and has their types: %s',
    { timeout: slowMs },
    async ([library, imports, client, end]) => {
      const only = join(folder, library);
      await mkdir(only);
      await writeFile(join(only, 'package.json'), '{ "private": true, "type": "module" }');
      await install(only, tarball, library, '@types/node@22');
      expect(existsSync(join(only, 'node_modules/ioredis'))).toBe(false);
      const program = `${imports}
import { createQueueLock } from '@lastseat/locking';
const url = process.argv[2] ?? '';
const redis = ${client};
const locks = createQueueLock(redis);
console.log(await locks.withLock('seat', ({ token }) => Number.isSafeInteger(token)));
await locks.close();
redis.${end}();
`;
      await writeFile(join(only, 'typed.ts'), program);
      await expectTypes(only, bin('tsc'));
      const { stdout } = await run(process.execPath, ['typed.ts', server.url], {
        cwd: only,
        timeout: 30_000,
      });
      expect(stdout).toBe('true\n');
    },
  );
});

const inMemory = `import { createMemoryLock, type QueueLocks } from '@lastseat/locking';

const locks: QueueLocks = createMemoryLock({ ttlMs: 1_000 });
console.log(await locks.withLock('seat', ({ token }) => Number.isSafeInteger(token)));
await locks.close();
`;

const typed = `import { createQueueLock, LockTimeoutError, type AcquireOptions, type Lease } from '@lastseat/locking';
import { Redis } from 'ioredis';

const locks = createQueueLock(new Redis('redis://127.0.0.1'), { ttlMs: 10_000 });

export async function sell(options: AcquireOptions): Promise<number | 'busy'> {
  try {
    return await locks.withLock(['seat/1', 'seat/2'], options, (lease: Lease) => lease.token);
  } catch (error) {
    if (error instanceof LockTimeoutError) return 'busy';
    throw error;
  }
}
`;

/** As a user's own compiler sees it, the strictest settings included. */
async function expectTypes(project: string, ...compilers: string[]): Promise<void> {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    types: ['node'],
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
  };
  const config = { compilerOptions, include: ['typed.ts'] };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config));
  for (const tsc of compilers) {
    const { stdout } = await run(tsc, ['--project', project]).catch((error) => error);
    expect(stdout).toBe('');
  }
}

/** The cache of npm is asked first: what `npm ci` has fetched once need not be fetched again. */
async function install(into: string, ...packages: string[]): Promise<void> {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  await run('npm', ['install', ...quiet, ...packages], { cwd: into });
}

/**
 * From the registry, into a folder that is kept: each is 190 MB, too much to be installed with the packages.
 * @returns null where there is no registry
 */
async function nodeOf(major: number): Promise<string | null> {
  const home = join(repository, '.lastseat/nodes', `${major}`);
  const node = join(home, 'node_modules/node/bin/node');
  if (existsSync(node)) return node;
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'package.json'), '{ "private": true }');
  try {
    await install(home, `node@npm:node-${process.platform}-${process.arch}@${major}`);
    return node;
  } catch (error) {
    if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ECONNRESET/.test(String(error))) return null;
    throw error;
  }
}
