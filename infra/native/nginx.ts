import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Binary } from '../servers/binaries.ts';
import type { Part } from './parts.ts';
import { repository } from './places.ts';
import { maxReplicas } from './ports.ts';

/**
 * nginx knows the replicas that there were at its start, and beside them, under other names, every place that a replica
 * can ever take. Once there are more replicas or fewer than at its start a file says so, and nginx goes by all places:
 * it finds out by itself which are occupied. The usual way, writing the list anew and reloading, closes all idle client
 * connections: a client that is just sending on one loses its request, one for each connection and reload (64
 * connections, 2 reloads: 128 lost). With places: none. An empty place refuses in some 50 us and the request goes to
 * another one, as not a byte of it was sent; then the place is left alone for a while. The price is a line in the log for
 * each of these tries, and so they are only made where the number has changed.
 */
export function nginxPart(options: {
  binary: Binary;
  dir: string;
  port: number;
  /** Where its exporter asks what it does. */
  statusPort: number;
  firstPlace: number;
  /** At its start. */
  replicas: number;
  /** In lab mode no address is limited. */
  labMode: string;
}): Part {
  const { binary, port, replicas } = options;
  const dir = nginxDir(options.dir);
  mkdirSync(dir, { recursive: true });
  const conf = readFileSync(join(repository, 'nginx/nginx.conf'), 'utf8');
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  const servers = (settings: readonly string[]) =>
    settings.map((text, place) => `server 127.0.0.1:${options.firstPlace + place} ${text};\n`).join('');
  write('nginx.conf', conf);
  const limits = readFileSync(join(repository, `nginx/limits/lab-${options.labMode}.conf`), 'utf8');
  write('limits.conf', limits);
  write('listen.conf', listenConf(port));
  const status = statusConf(options.statusPort);
  write('status.conf', status);
  write('all-places.conf', allPlaces(conf));
  for (const name of files) {
    write(name, servers(Array.from({ length: replicas }, () => settingsInDocker(name))));
    write(
      `all-${name}`,
      servers(Array.from({ length: maxReplicas }, (_, place) => perhapsEmpty(name, place))),
    );
  }
  return {
    name: 'nginx',
    command: binary.path,
    args: ['-p', `${dir}/`, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;'],
    cwd: dir,
    env: {},
    user: null, // as root the workers become nobody, and only the master can bind a port below 1024
    stopSignal: 'SIGQUIT', // answers what it was asked before it ends
    settings: JSON.stringify([conf, limits, status, port, options.firstPlace, files.map(settingsInDocker)]),
    url: `http://127.0.0.1:${port}`,
    probe: probeNginx,
  };
}

const files = ['servers.conf', 'homes.conf', 'reads.conf'];

/** What nginx is told of each replica is the same in both ways of running. */
function settingsInDocker(name: string): string {
  const conf = readFileSync(join(repository, 'nginx/docker', name), 'utf8');
  const [, settings] = /^server booking:3000 resolve (.*);$/m.exec(conf) ?? [];
  if (settings === undefined) throw new Error(`nginx/docker/${name} names no server`);
  return settings;
}

function nginxDir(dir: string): string {
  return join(dir, 'nginx');
}

/** Is the number of replicas another one than at nginx's start? */
export function tellNginx(dir: string, { hasChanged }: { hasChanged: boolean }): void {
  const path = join(nginxDir(dir), changedFile);
  if (hasChanged) writeFileSync(path, '');
  else rmSync(path, { force: true });
}

const changedFile = 'other-number';

// A look at the file is remembered for as long, or each request would cost a call of the kernel.
const rememberedS = 1;

// By a path from its working directory: as root its workers are nobody, who may not be let through to a full one.
function listenConf(port: number): string {
  return `listen 127.0.0.1:${port};
open_file_cache max=16;
open_file_cache_valid ${rememberedS}s;
open_file_cache_errors on;
if (-f ${changedFile}) { set $places -all; }
`;
}

function statusConf(port: number): string {
  const conf = readFileSync(join(repository, 'nginx/docker/status.conf'), 'utf8');
  return conf.replace(/listen \d+;/, `listen 127.0.0.1:${port};`);
}

/** The upstreams of nginx.conf under other names and with other servers. */
function allPlaces(conf: string): string {
  return [...conf.matchAll(/^ {2}upstream (\w+) \{\n.*?^ {2}\}\n/gms)]
    .map(([upstream, name]) =>
      upstream
        .replace(`upstream ${name} {`, `upstream ${name}-all {`)
        .replace(`zone ${name} `, `zone ${name}-all `)
        .replace('include ', 'include all-'),
    )
    .join('');
}

/**
 * Three seconds is how long a new replica waits for its first request, at most, and how rarely an empty place is tried.
 * Looking for an event's home nginx draws twenty times and then takes anyone's; so it has to draw those places more often
 * that are likely to be occupied. With two replicas one event in sixty is homeless.
 */
function perhapsEmpty(name: string, place: number): string {
  const always = 'max_fails=1 fail_timeout=3s';
  return name === 'homes.conf' ? `${always} max_conns=100 weight=${place < 8 ? 8 : 1}` : always;
}

const probeTimeoutMs = 2_000;

export async function probeNginx(url: string): Promise<void> {
  const response = await fetch(`${url}/nginx-health`, { signal: AbortSignal.timeout(probeTimeoutMs) });
  await response.text();
  if (!response.ok) throw new Error(`nginx answered ${response.status}`);
}

// Some times as long as the longest that nginx leaves a place alone, or remembers how many replicas there are.
const takeUpTimeoutMs = 15_000;

// Under load each question waits in line with the crowd's, and finds a certain replica only now and then.
const questionsAtOnce = 4;

/** Waits until each of the replicas has answered through nginx. */
export async function waitUntilServing(
  url: string,
  instanceIds: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: questionsAtOnce });
  const missing = new Set(instanceIds);
  const deadline = performance.now() + takeUpTimeoutMs;

  async function ask() {
    while (missing.size > 0 && performance.now() < deadline) {
      signal.throwIfAborted();
      const instanceId = await askWhoAnswers(url, agent);
      // Idle replicas are asked in turn, so a round finds them all; only then is waiting of any use.
      if (instanceId === null || !missing.delete(instanceId)) await sleep(20);
    }
  }

  try {
    await Promise.all(Array.from({ length: questionsAtOnce }, ask));
  } finally {
    agent.destroy();
  }
  if (missing.size > 0) {
    throw new Error(`nginx hands no request to ${[...missing].join(', ')}; see \`make logs\``);
  }
}

/** Asks in the way of a booking, because nginx keeps a health of its own for reads; a replica refuses it, by name. */
function askWhoAnswers(url: string, agent: Agent): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = request(`${url}/readyz`, { method: 'POST', agent, timeout: probeTimeoutMs }, (response) => {
      response.resume();
      response.once('close', () => resolve(String(response.headers['x-instance-id'])));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(null));
    asked.end();
  });
}
