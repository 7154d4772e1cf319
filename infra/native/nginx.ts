import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Binary } from '../servers/binaries.ts';
import type { Part } from './parts.ts';
import { repository } from './places.ts';
import { maxReplicas } from './ports.ts';

/**
 * nginx knows every place that a replica can ever take from its start, and finds out by itself which are occupied.
 * The usual way, writing the list anew and reloading, closes all idle client connections: a client that is just
 * sending on one loses its request, one for each connection and reload (64 connections, 2 reloads: 128 lost). With
 * places: none. An empty place refuses in some 50 us and the request goes to another one, as not a byte of it was
 * sent; then the place is left alone for a while. The price is a line in the log for each of these tries.
 */
export function nginxPart(options: {
  binary: Binary;
  dir: string;
  port: number;
  firstPlace: number;
  replicas: number;
}): Part {
  const { binary, port } = options;
  const dir = join(options.dir, 'nginx');
  mkdirSync(dir, { recursive: true });
  copyFileSync(join(repository, 'nginx/nginx.conf'), join(dir, 'nginx.conf'));
  writeFileSync(join(dir, 'listen.conf'), `listen 127.0.0.1:${port};\n`);
  const isOccupied = (place: number) => place < options.replicas;
  const servers = (settingsOf: (place: number) => string) =>
    Array.from(
      { length: maxReplicas },
      (_, place) => `server 127.0.0.1:${options.firstPlace + place} ${settingsOf(place)};\n`,
    ).join('');
  writeFileSync(
    join(dir, 'servers.conf'),
    servers((place) => (isOccupied(place) ? occupied : empty)),
  );
  writeFileSync(
    join(dir, 'homes.conf'),
    servers((place) => `${isOccupied(place) ? occupiedHome : empty} ${homeIn(place)}`),
  );
  writeFileSync(
    join(dir, 'reads.conf'),
    servers((place) => (isOccupied(place) ? occupiedHome : empty)),
  );
  return {
    name: 'nginx',
    command: binary.path,
    args: ['-p', `${dir}/`, '-c', join(dir, 'nginx.conf'), '-g', 'daemon off;'],
    cwd: dir,
    env: {},
    user: null, // as root the workers become nobody, and only the master can bind a port below 1024
    stopSignal: 'SIGQUIT', // answers what it was asked before it ends
    settings: readFileSync(join(dir, 'nginx.conf'), 'utf8') + JSON.stringify([port, options.firstPlace]),
    url: `http://127.0.0.1:${port}`,
    probe: probeNginx,
  };
}

// As in nginx/docker/servers.conf.
const occupied = 'max_fails=5 fail_timeout=1s';
// As in nginx/docker/homes.conf.
const occupiedHome = 'max_fails=1 fail_timeout=12s';
// How long a new replica waits for its first request, at most, and how rarely the other places are tried.
const empty = 'max_fails=1 fail_timeout=3s';

/**
 * Looking for an event's home nginx draws twenty times and then takes anyone's; so it has to draw those places more often
 * that are likely to be occupied. With two replicas one event in sixty is homeless.
 */
function homeIn(place: number): string {
  return `max_conns=100 weight=${place < 8 ? 8 : 1}`;
}

const probeTimeoutMs = 2_000;

export async function probeNginx(url: string): Promise<void> {
  const response = await fetch(`${url}/nginx-health`, { signal: AbortSignal.timeout(probeTimeoutMs) });
  await response.text();
  if (!response.ok) throw new Error(`nginx answered ${response.status}`);
}

// Five times as long as the longest that nginx leaves a place alone.
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
