import { redisVersion } from '@lastseat/lab-frame/redis-info.ts';
import { Redis } from 'ioredis';
import { Client } from 'pg';

import type { BenchStack } from './start-stack.ts';

const TIMEOUT_MS = 5_000;

/** What the servers say of themselves: a figure of another version is another figure. */
export async function serverVersions(stack: BenchStack): Promise<Record<string, string>> {
  const [postgres, redis] = await Promise.all([
    postgresVersion(stack.postgresUrl),
    redisVersionAt(stack.redisUrl),
  ]);
  return { postgres, redis, nginx: stack.nginxVersion };
}

async function postgresVersion(connectionString: string): Promise<string> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    // Debian's adds whose package it is.
    return rows[0]?.server_version.split(' ')[0] ?? 'unknown';
  } finally {
    await client.end();
  }
}

async function redisVersionAt(url: string): Promise<string> {
  const client = new Redis(url, { commandTimeout: TIMEOUT_MS });
  try {
    return redisVersion(await client.info('server'));
  } finally {
    client.disconnect();
  }
}
