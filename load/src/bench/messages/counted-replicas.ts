import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { dieWithParent, freePort } from '@lastseat/infra/servers';

import type { BenchStack } from '../stack/start-stack.ts';
import { countPostgres, countRedis, type Counts } from './counting-proxy.ts';

/** Replicas of their own, on the stack's servers but with a counting proxy before each of them. */
export interface CountedReplicas extends AsyncDisposable {
  origins: string[];
  /** What all of them together have sent so far. */
  counts(): { postgres: Counts; redis: Counts };
}

const REPLICAS = 2;
const SERVICE = fileURLToPath(new URL('../../../../services/booking', import.meta.url));

// A process that starts on a busy machine takes a second or two.
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

export async function startCountedReplicas(stack: BenchStack): Promise<CountedReplicas> {
  await using resources = new AsyncDisposableStack();
  const postgres = resources.use(await countPostgres(stack.postgresUrl));
  const redis = resources.use(await countRedis(stack.redisUrl));
  const quorum = await Promise.all(stack.quorumUrls.map(countRedis));
  for (const proxy of quorum) resources.use(proxy);

  const dir = mkdtempSync(join(tmpdir(), 'lastseat-counted-'));
  resources.defer(() => rmSync(dir, { recursive: true, force: true }));

  const starting = Array.from({ length: REPLICAS }, async (_, index) => {
    const port = await freePort();
    const child = spawn(process.execPath, ['src/main.ts'], {
      cwd: SERVICE,
      stdio: 'ignore',
      detached: true, // Ctrl-C is for the bench; it decides what becomes of its replicas
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: String(port),
        INSTANCE_ID: `counted-${index + 1}`,
        LAB_MODE: 'on',
        DRAIN_DELAY_MS: '0',
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        QUORUM_REDIS_URLS: quorum.map(({ url }) => url).join(','),
      },
    });
    resources.defer(() => end(child));
    dieWithParent(child, dir);
    const origin = `http://127.0.0.1:${port}`;
    await waitUntilReady(origin, child);
    return origin;
  });
  const started = await Promise.allSettled(starting);
  const origins = started.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });

  const kept = resources.move();
  return {
    origins,
    counts: () => ({ postgres: { ...postgres.counts }, redis: sum([redis, ...quorum]) }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function waitUntilReady(origin: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${origin}/readyz`).catch(() => null);
    await response?.text();
    if (response?.ok) return;
    if (child.exitCode !== null) throw new Error('a replica for counting ended while it started');
    if (performance.now() > deadline) throw new Error('a replica for counting did not become ready');
    await sleep(POLL_MS);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL'); // nobody is waiting for an answer of it any more
  await exited;
}

function sum(proxies: readonly { counts: Counts }[]): Counts {
  return {
    requests: proxies.reduce((total, { counts }) => total + counts.requests, 0),
    roundTrips: proxies.reduce((total, { counts }) => total + counts.roundTrips, 0),
  };
}
