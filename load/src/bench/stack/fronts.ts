import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { findBinary, freePort, runAfterParent } from '@lastseat/infra/servers';

import { untilServing } from './until-serving.ts';

/** More nginx in front of the same replicas, each of which knows only the first few of them: their URLs. */
export interface Fronts extends AsyncDisposable {
  urls: ReadonlyMap<number, string>;
}

/**
 * So many replicas as there are can be measured in turn with fewer of them, slice by slice: nobody has to be stopped, and
 * started again cold. Those that a front does not know are idle meanwhile.
 * @param nginxDir where the stack's own nginx has its configuration: everything but the address and the replicas is its
 */
export async function startFronts(
  nginxDir: string,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<Fronts> {
  await using started = new AsyncDisposableStack();
  const urls = new Map<number, string>();
  for (const number of numbers) {
    const dir = `${nginxDir}-${number}`;
    const port = await freePort();
    copyConfiguration(nginxDir, dir, { port, replicas: number });
    started.use(await startNginx(dir));
    const url = `http://127.0.0.1:${port}`;
    await untilServing(url, signal);
    urls.set(number, url);
  }
  const kept = started.move();
  return { urls, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function copyConfiguration(from: string, to: string, { port, replicas }: { port: number; replicas: number }) {
  const isConfiguration = (path: string): boolean => path === from || path.endsWith('.conf');
  cpSync(from, to, { recursive: true, filter: isConfiguration });
  writeFileSync(join(to, 'listen.conf'), `listen 127.0.0.1:${port};\n`);
  for (const name of readdirSync(to).filter((name) => !['nginx.conf', 'listen.conf'].includes(name))) {
    const path = join(to, name);
    writeFileSync(path, firstServers(readFileSync(path, 'utf8'), replicas));
  }
}

/**
 * A list of replicas cut down to its first ones, all with the settings of the very first: of the others nginx may think
 * that nobody is there yet.
 */
export function firstServers(list: string, count: number): string {
  const lines = list.split('\n').filter((line) => line.startsWith('server '));
  const [, , ...settings] = lines[0]?.split(' ') ?? [];
  return lines
    .slice(0, count)
    .map((line) => {
      const address = line.split(' ')[1]?.replace(';', '');
      return settings.length === 0 ? `server ${address};\n` : `server ${address} ${settings.join(' ')}\n`;
    })
    .join('');
}

async function startNginx(dir: string): Promise<AsyncDisposable> {
  const binary = findBinary('nginx')?.path ?? 'nginx';
  const child = spawn(binary, ['-p', `${dir}/`, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;'], {
    cwd: dir,
    stdio: 'ignore',
    // Not the terminal's Ctrl-C: whoever started it decides when it ends.
    detached: true,
  });
  await once(child, 'spawn');
  // Asked to end, nginx takes its workers with it, which a SIGKILL would leave behind.
  const callOff = runAfterParent('kill', '-TERM', String(child.pid));
  return {
    async [Symbol.asyncDispose]() {
      callOff();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
