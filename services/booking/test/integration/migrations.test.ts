import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { createDatabase, startFaultProxy } from '@lastseat/infra/servers';
import { expect, inject, test } from 'vitest';

import { listEvents } from '#src/storage/events.ts';
import { openPool } from '#src/storage/pool.ts';

import { startReplica } from '../support/replica.ts';

interface Run {
  code: number | null;
  migrated: string[];
  text: string;
}

async function migrate(
  databaseUrl: string | undefined,
  onLine: (line: string) => void = () => {},
): Promise<Run> {
  const child = spawn(process.execPath, ['src/migrate.ts'], {
    cwd: new URL('../../', import.meta.url),
    env: databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    onLine(line);
  }
  const [code] = (await exited) as [number | null];
  const entries = lines.map((line) => JSON.parse(line) as { migrated?: string[] });
  return { code, text: lines.join('\n'), migrated: entries.flatMap(({ migrated = [] }) => migrated) };
}

test('three at the same time: each migration runs once, and all of them end well', async () => {
  await using database = await createDatabase(inject('postgresUrl'));
  const runs = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
  const ran = runs.flatMap(({ migrated }) => migrated);
  expect(ran.length).toBeGreaterThan(0);
  expect(new Set(ran).size).toBe(ran.length);
});

test('a replica that was started before it is ready once it has run', async () => {
  await using database = await createDatabase(inject('postgresUrl'));
  await using replica = await startReplica('early', {
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
  });
  const ask = async () => (await fetch(`${replica.url}/readyz`)).json();
  expect(await ask()).toMatchObject({
    code: 'not_ready',
    detail: expect.stringMatching(/the schema lacks 0001-/),
  });
  await migrate(database.url);
  expect(await ask()).toMatchObject({ status: 'ok' });
});

test('running it again changes nothing, not even a seeded event that was changed since', async () => {
  await using database = await createDatabase(inject('postgresUrl'));
  await migrate(database.url);
  const db = openPool({ url: database.url, max: 1, applicationName: 'test' });
  try {
    await db.updateTable('events').set({ name: 'Renamed' }).where('id', '=', 1).execute();
    await db.updateTable('inventory').set({ capacity: 9, available: 9 }).where('event_id', '=', 1).execute();
    const { code, migrated } = await migrate(database.url);
    expect({ code, migrated }).toEqual({ code: 0, migrated: [] });
    const events = await listEvents(db, { after: 0, limit: 10 }, 'rows');
    expect(events).toMatchObject([
      { id: 1, name: 'Renamed', capacity: 9 },
      { id: 2, capacity: 100, available: 100, booked: 0, oversold: 0 },
      { id: 3, capacity: 10_000 },
    ]);
  } finally {
    await db.destroy();
  }
});

test('a missing address and a wrong password end it with code 1 and a reason', async () => {
  const [without, wrong] = await Promise.all([
    migrate(undefined),
    (() => {
      const url = new URL(inject('postgresUrl'));
      url.password = 'wrong';
      return migrate(url.href);
    })(),
  ]);
  expect(without.code).toBe(1);
  expect(without.text).toContain('DATABASE_URL');
  expect(wrong.code).toBe(1);
  expect(wrong.text).toContain('password authentication failed');
});

test('a Postgres that is still starting is waited for', async () => {
  await using database = await createDatabase(inject('postgresUrl'));
  await using proxy = await startFaultProxy(Number(new URL(database.url).port));
  await proxy.refuse();
  let healed: Promise<void> | undefined;
  const { code, text } = await migrate(proxy.through(database.url), (line) => {
    if (line.includes('waiting for Postgres')) healed ??= proxy.heal();
  });
  await healed;
  expect(code).toBe(0);
  expect(text).toContain('waiting for Postgres');
});
