import type { TestProject } from 'vitest/node';

import { chooseServerRuntime } from './choose-runtime.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** One Redis for the whole run, shared by all test files: use names of your own, never FLUSHALL. */
    redisUrl: string;
    /** The superuser's; make a database of your own with createDatabase(). */
    postgresUrl: string;
  }
}

const servers = new AsyncDisposableStack();

export async function setup({ provide }: TestProject): Promise<void> {
  const runtime = await chooseServerRuntime();
  process.stderr.write(`test servers: ${runtime === 'docker' ? 'containers' : 'native processes'}\n`);
  const [redis, postgres] = await Promise.allSettled([startRedis(), startPostgres()]);
  for (const server of [redis, postgres]) if (server.status === 'fulfilled') servers.use(server.value);
  for (const server of [redis, postgres]) if (server.status === 'rejected') throw server.reason;
  if (redis.status !== 'fulfilled' || postgres.status !== 'fulfilled') return;
  provide('redisUrl', redis.value.url);
  provide('postgresUrl', postgres.value.url);
}

export async function teardown(): Promise<void> {
  await servers.disposeAsync();
}
