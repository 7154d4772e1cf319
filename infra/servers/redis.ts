import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { chooseServerRuntime, images } from './choose-runtime.ts';
import { startContainerServer } from './container-server.ts';
import { ensureInstalled } from './install.ts';
import { startNativeServer } from './native-server.ts';
import type { RuntimeName, Server, ServerKind } from './server.ts';
import { serviceUser } from './service-user.ts';

export interface StartOptions {
  /** Default: what RUNTIME says, or Docker where an engine answers. */
  runtime?: RuntimeName;
  /** Server settings over those of the shared file, such as `{ appendonly: 'no' }` or `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
}

const settingsFile = new URL('../redis/redis.conf', import.meta.url);

/** A Redis of one's own. Memory is its only limit; it keeps its data over a restart, as the real one does. */
export async function startRedis({ runtime, settings = {} }: StartOptions = {}): Promise<Server> {
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const conf = await readFile(settingsFile, 'utf8');
  if ((runtime ?? (await chooseServerRuntime())) === 'docker') {
    const target = '/etc/redis.conf';
    return startContainerServer({
      ...redis,
      image: images.redis,
      containerPort: 6379,
      command: ['redis-server', target, '--bind', '0.0.0.0', '--protected-mode', 'no', ...args],
      environment: {},
      files: [{ content: conf, target }],
    });
  }
  const { 'redis-server': binary } = await ensureInstalled(['redis-server']);
  return startNativeServer({
    ...redis,
    command: binary.path,
    stopSignal: 'SIGTERM',
    user: serviceUser('redis', 'nobody'),
    prepare: (dir) => writeFile(join(dir, 'redis.conf'), conf, { mode: 0o644 }),
    args: (dir, port) => ['redis.conf', '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, ...args],
  });
}

// A local server answers a PING within a millisecond; a frozen one never does.
const probeTimeoutMs = 1_000;

/** Answers only when the data is loaded: before, Redis says LOADING. */
export async function probeRedis(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    socket.write('PING\r\n');
    const [reply] = (await once(socket, 'data', { signal: AbortSignal.timeout(probeTimeoutMs) })) as [Buffer];
    if (!reply.toString().startsWith('+PONG')) throw new Error(`redis said ${reply.toString().trim()}`);
  } finally {
    socket.once('error', () => {}).destroy();
  }
}

const redis: ServerKind = { name: 'redis', url: (port) => `redis://127.0.0.1:${port}`, probe: probeRedis };
