import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { findBinary, freePort, runAfterParent } from '@lastseat/infra/servers';

import { untilServing } from './until-serving.ts';

/** More nginx in front of the same replicas, each of which knows only the first few of them: their URLs. */
export interface Fronts extends AsyncDisposable {
  urls: ReadonlyMap<number, string>;
  /** Their processes by a name, as those of the stack: what they use of the processors is nginx's. */
  pids: Readonly<Record<string, number>>;
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
  const pids: Record<string, number> = {};
  for (const number of numbers) {
    const dir = `${nginxDir}-${number}`;
    const port = await freePort();
    copyConfiguration(nginxDir, dir, { port, replicas: number });
    const nginx = started.use(await startNginx(dir));
    pids[`nginx-for-${number}`] = nginx.pid;
    const url = `http://127.0.0.1:${port}`;
    await untilServing(url, signal);
    urls.set(number, url);
  }
  const kept = started.move();
  return { urls, pids, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/**
 * As if nginx had been started with so many replicas. Its own lists (`homes.conf`, say) are of those that there were at
 * its start; beside each of them is one of all places that replicas take, in their order (`all-homes.conf`).
 */
function copyConfiguration(from: string, to: string, { port, replicas }: { port: number; replicas: number }) {
  // Who watches asks the stack's own nginx; it has the port, and a second one would not start.
  const isConfiguration = (path: string): boolean =>
    path === from || (path.endsWith('.conf') && !path.endsWith('/status.conf'));
  cpSync(from, to, { recursive: true, filter: isConfiguration });
  const names = readdirSync(to);
  const rewrite = (name: string, change: (text: string) => string): void => {
    const path = join(to, name);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  };
  rewrite('listen.conf', (text) => text.replace(/listen 127\.0\.0\.1:\d+;/, `listen 127.0.0.1:${port};`));
  for (const name of names.filter((name) => names.includes(`all-${name}`))) {
    const places = readFileSync(join(to, `all-${name}`), 'utf8');
    rewrite(name, (list) => firstServers(list, places, replicas));
  }
}

/** The first of all places, with the settings that the list has for replicas that are there. */
export function firstServers(list: string, places: string, count: number): string {
  const settings = /^server \S+ (.*);$/m.exec(list)?.[1] ?? '';
  const addresses = [...places.matchAll(/^server (\S+)/gm)].map(([, address = '']) => address);
  return addresses
    .slice(0, count)
    .map((address) => `server ${address} ${settings};\n`)
    .join('');
}

async function startNginx(dir: string): Promise<AsyncDisposable & { pid: number }> {
  const binary = findBinary('nginx')?.path ?? 'nginx';
  const child = spawn(binary, ['-p', `${dir}/`, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;'], {
    cwd: dir,
    stdio: 'ignore',
    // Not the terminal's Ctrl-C: whoever started it decides when it ends.
    detached: true,
  });
  await once(child, 'spawn');
  // Asked to end, nginx takes its workers with it, which a SIGKILL would leave behind.
  const pid = child.pid ?? 0; // it has been spawned
  const callOff = runAfterParent('kill', '-TERM', String(pid));
  return {
    pid,
    async [Symbol.asyncDispose]() {
      callOff();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
