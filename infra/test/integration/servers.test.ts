import { createConnection } from 'node:net';

import { Client } from 'pg';
import { describe, expect, inject, test } from 'vitest';

import { chooseServerRuntime, createDatabase, startPostgres, startRedis } from '../../servers/index.ts';
import type { RuntimeName, Server } from '../../servers/index.ts';
import { probePostgres } from '../../servers/postgres.ts';
import { probeRedis } from '../../servers/redis.ts';

// Both ways where Docker answers; natively alone elsewhere, and in containers alone when RUNTIME=docker.
const runtimes: RuntimeName[] = [];
if (process.env['RUNTIME'] !== 'native' && (await chooseServerRuntime()) === 'docker')
  runtimes.push('docker');
if (process.env['RUNTIME'] !== 'docker') runtimes.push('native');

// Four starts of a Postgres take a quarter of a minute on a busy machine.
const timeout = 90_000;

describe.each(runtimes)('a redis server (%s)', { timeout }, (runtime) => {
  test('keeps its address over restarts, and its data unless told otherwise', async () => {
    await using redis = await startRedis({ runtime });
    const { url } = redis;
    expect(await ask(redis, 'SET seat A1')).toBe('+OK');
    await redis.kill();
    await expect(probeRedis(url)).rejects.toThrow(/ECONNRE/);
    await redis.restart();
    expect(redis.url).toBe(url);
    expect(await ask(redis, 'GET seat')).toBe('$2');
    await redis.restart({ keepData: false });
    expect(await ask(redis, 'GET seat')).toBe('$-1');
  });

  test('answers nothing while paused and everything afterwards', async () => {
    await using redis = await startRedis({ runtime });
    await redis.pause();
    const late = ask(redis, 'PING');
    await expect(probeRedis(redis.url)).rejects.toThrow(/abort/);
    await redis.resume();
    expect(await late).toBe('+PONG');
  });

  test('never evicts a lock, and takes other settings', async () => {
    await using redis = await startRedis({ runtime, settings: { appendonly: 'no' } });
    expect(await ask(redis, 'CONFIG GET maxmemory-policy', 5)).toContain('noeviction');
    expect(await ask(redis, 'CONFIG GET appendonly', 5)).toContain('no');
  });
});

describe.each(runtimes)('a postgres server (%s)', { timeout }, (runtime) => {
  test('keeps what was committed when killed, starts empty when told to', async () => {
    await using postgres = await startPostgres({ runtime });
    await query(postgres.url, 'create table seat as select 7 as number');
    await postgres.kill();
    await expect(probePostgres(postgres.url)).rejects.toThrow(/ECONNRE/);
    await postgres.restart();
    expect(await query(postgres.url, 'select number from seat')).toEqual([{ number: 7 }]);
    await postgres.pause();
    await expect(probePostgres(postgres.url)).rejects.toThrow(/time/i);
    await postgres.resume();
    await probePostgres(postgres.url);
    await postgres.restart({ keepData: false });
    await expect(query(postgres.url, 'select number from seat')).rejects.toThrow('does not exist');
  });
});

test('the shared postgres is durable, and gives each test a database of its own', async () => {
  await using database = await createDatabase(inject('postgresUrl'));
  expect(await query(database.url, 'select current_database() as name')).toEqual([{ name: database.name }]);
  expect(await query(database.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

/** Sends one inline command and returns the first lines of the reply. */
function ask(server: Server, command: string, lines = 1): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: server.port, host: '127.0.0.1' });
    let reply = '';
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      reply += chunk.toString();
      const received = reply.split('\r\n');
      if (received.length <= lines) return;
      resolve(received.slice(0, lines).join(' '));
      socket.destroy();
    });
    socket.write(`${command}\r\n`);
  });
}
