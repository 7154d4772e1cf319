import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { IMAGES } from '../../images.ts';
import { ensureInstalled, findBinary, freePort } from '../../servers/index.ts';
import { obstacleToDocker } from '../../stack/docker/engine.ts';

const settings = fileURLToPath(new URL('../../../nginx/nginx.conf', import.meta.url));
const limits = (labMode: 'on' | 'off') =>
  readFile(new URL(`../../../nginx/limits/lab-${labMode}.conf`, import.meta.url), 'utf8');

/** Requests for its events that a replica has at once, in these tests. */
export const HOME_BOUND = 4;

/** A way to run nginx on this machine. */
interface Kind {
  name: string;
  /** Its prefix is a directory that it can write to, the other one holds its settings. */
  command: (options: { prefix: string; conf: string }) => string[];
}

export interface Nginx extends AsyncDisposable {
  url: string;
  /** Resolves when its log says so. */
  says(pattern: RegExp): Promise<void>;
}

/** The one that is installed here and the one that Compose uses, as far as this machine has them. */
export const nginxes: Kind[] = [];

// Only Linux lets a container listen on the host's own loopback.
const isInDocker = process.platform === 'linux' && (await obstacleToDocker()) === null;
const installed = findBinary('nginx') ?? (isInDocker ? null : (await ensureInstalled(['nginx'])).nginx);
if (installed) {
  nginxes.push({
    name: `nginx ${installed.version}`,
    command: ({ prefix, conf }) => [installed.path, '-p', `${prefix}/`, '-c', `${conf}/nginx.conf`],
  });
}
if (isInDocker) {
  nginxes.push({
    name: IMAGES.nginx,
    command: ({ conf }) =>
      [
        'docker run --rm --network host --read-only --tmpfs /tmp --cap-drop ALL --user nginx',
        `--volume ${conf}:/conf:ro --entrypoint nginx ${IMAGES.nginx} -p /tmp/ -c /conf/nginx.conf`,
      ].flatMap((line) => line.split(' ')),
  });
}

/**
 * nginx with the project's settings, in front of replicas on these ports. An address is limited if it is told how often one
 * may come at once: then it gets one more a minute, so that no test depends on how fast it is. Natively nginx knows places
 * of replicas that there may be some day, and now are empty.
 */
export async function startNginx(
  { name, command }: Kind,
  ports: readonly number[],
  { burst, emptyPlaces = 0 }: { burst?: number; emptyPlaces?: number } = {},
): Promise<Nginx> {
  const conf = await mkdtemp(join(tmpdir(), 'lastseat-nginx-'));
  await chmod(conf, 0o755); // it runs as a user of its own
  const port = await freePort();
  await copyFile(settings, join(conf, 'nginx.conf'));
  await writeFile(join(conf, 'listen.conf'), `listen 127.0.0.1:${port};\n`);
  const limited = (await limits('off'))
    .replace(/rate=\d+r\/s/, 'rate=1r/m')
    .replace(/burst=\d+/, `burst=${burst}`);
  await writeFile(join(conf, 'limits.conf'), burst === undefined ? await limits('on') : limited);
  const servers = (settings: string) =>
    ports.map((port) => `server 127.0.0.1:${port} ${settings};\n`).join('');
  const empty = await Promise.all(Array.from({ length: emptyPlaces }, () => freePort()));
  const places = empty.map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=3s;\n`).join('');
  await writeFile(join(conf, 'servers.conf'), places + servers('max_fails=5 fail_timeout=1s'));
  await writeFile(join(conf, 'homes.conf'), servers(`max_conns=${HOME_BOUND} max_fails=1 fail_timeout=12s`));
  await writeFile(join(conf, 'reads.conf'), servers('max_fails=1 fail_timeout=12s'));

  const [program = '', ...args] = command({ prefix: conf, conf });
  const child = spawn(program, [...args, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  let listeners: { pattern: RegExp; resolve: () => void }[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    for (const { pattern, resolve } of listeners) if (pattern.test(line)) resolve();
    listeners = listeners.filter(({ pattern }) => !pattern.test(line));
  });

  const url = `http://127.0.0.1:${port}`;
  while (!(await isHealthy(url))) {
    if (child.exitCode !== null) throw new Error(`${name} did not start:\n${lines.join('\n')}`);
    await sleep(20);
  }
  return {
    url,
    says: (pattern) =>
      new Promise((resolve) => {
        if (lines.some((line) => pattern.test(line))) resolve();
        else listeners.push({ pattern, resolve });
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      await rm(conf, { recursive: true, force: true });
    },
  };
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/nginx-health`)).ok;
  } catch {
    return false;
  }
}
