import { once } from 'node:events';
import { chown, readFile, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

import { IMAGES } from '../images.ts';
import { chooseServerRuntime, images } from './choose-runtime.ts';
import { startContainerServer } from './container-server.ts';
import { ensureInstalled } from './install.ts';
import { startNativeServer } from './native-server.ts';
import type { Certificate } from './self-signed.ts';
import type { RuntimeName, Server, ServerKind } from './server.ts';
import { serviceUser } from './service-user.ts';

export interface StartOptions {
  /** Default: what RUNTIME says, or Docker where an engine answers. */
  runtime?: RuntimeName;
  /** Server settings over those of the shared file, such as `{ appendonly: 'no' }` or `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
}

export interface RedisStartOptions extends StartOptions {
  /** Default: Redis. */
  program?: 'redis-server' | 'valkey-server';
  /** Then it speaks TLS, and nothing else. */
  tls?: Certificate;
}

const settingsFile = new URL('../redis/redis.conf', import.meta.url);

/** A Redis of one's own. Memory is its only limit; it keeps its data over a restart, as the real one does. */
export async function startRedis({
  runtime,
  settings = {},
  program = 'redis-server',
  tls,
}: RedisStartOptions = {}): Promise<Server> {
  const kind = redisKind(tls);
  const files = {
    'redis.conf': await readFile(settingsFile, 'utf8'),
    ...(tls && { [certificateFile]: tls.certificate, [keyFile]: tls.key }),
  };
  const settingArgs = Object.entries(settings).flatMap(([name, value]) =>
    [`--${name}`].concat(value.split(' ')),
  );
  const args = (port: number) => [...(tls ? tlsArgs(port) : ['--port', String(port)]), ...settingArgs];
  if ((runtime ?? (await chooseServerRuntime())) === 'docker') {
    const workingDirectory = '/data';
    return startContainerServer({
      ...kind,
      image: program === 'valkey-server' ? IMAGES.valkey : images.redis,
      containerPort,
      command: [
        ...`${program} redis.conf --bind 0.0.0.0 --protected-mode no`.split(' '),
        ...args(containerPort),
      ],
      environment: {},
      files: Object.entries(files).map(([name, content]) => ({
        content,
        target: `${workingDirectory}/${name}`,
      })),
    });
  }
  return startNativeRedis(
    kind,
    files,
    (dir, port) => ['redis.conf', '--bind', '127.0.0.1', '--dir', dir, ...args(port)],
    program,
  );
}

const containerPort = 6379;

/**
 * A server as a plain process.
 * @param files by their names in its working directory; it may write them anew
 */
export async function startNativeRedis(
  kind: ServerKind,
  files: Readonly<Record<string, string>>,
  args: (dir: string, port: number) => string[],
  program: 'redis-server' | 'valkey-server' = 'redis-server',
): Promise<Server> {
  const { [program]: binary } = await ensureInstalled([program]);
  const user = serviceUser('redis', 'nobody');
  return startNativeServer({
    ...kind,
    command: binary.path,
    stopSignal: 'SIGTERM',
    user,
    async prepare(dir) {
      for (const [name, content] of Object.entries(files)) {
        const path = join(dir, name);
        await writeFile(path, content, { mode: 0o644 });
        if (user) await chown(path, user.uid, user.gid);
      }
    },
    args,
  });
}

const certificateFile = 'server.crt';
const keyFile = 'server.key';

function tlsArgs(port: number): string[] {
  const files = `--tls-cert-file ${certificateFile} --tls-key-file ${keyFile}`;
  // Clients show no certificates of their own.
  return `--port 0 --tls-port ${port} ${files} --tls-auth-clients no`.split(' ');
}

function redisKind(tls: Certificate | undefined): ServerKind {
  if (tls === undefined) return plainRedis;
  return {
    name: 'redis',
    url: (port) => `rediss://127.0.0.1:${port}`,
    probe: (url) => probeRedis(url, tls),
  };
}

/** Answers only when the data is loaded: before, Redis says LOADING. */
export async function probeRedis(url: string, tls?: Certificate): Promise<void> {
  const reply = await askRedis(url, 'PING', tls);
  if (!reply.startsWith('+PONG')) throw new Error(`redis said ${reply.trim()}`);
}

// A local server answers a small question within a millisecond; a frozen one never does.
const answerTimeoutMs = 1_000;

/** Asks one question, written as one line, and returns the whole reply as it came over the wire. */
export async function askRedis(url: string, line: string, tls?: Certificate): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const to = { host, port: Number(port) };
  const socket = tls ? connectTls({ ...to, ca: tls.certificate }) : connectPlain(to);
  let reply = '';
  socket.on('data', (chunk: Buffer) => {
    reply += chunk.toString();
  });
  try {
    // Redis answers what it has read before it closes its side too, which tells where the reply ends.
    socket.end(`${line}\r\n`);
    await once(socket, 'end', { signal: AbortSignal.timeout(answerTimeoutMs) });
    return reply;
  } finally {
    socket.once('error', () => {}).destroy();
  }
}

export const plainRedis: ServerKind = {
  name: 'redis',
  url: (port) => `redis://127.0.0.1:${port}`,
  probe: (url) => probeRedis(url),
};
