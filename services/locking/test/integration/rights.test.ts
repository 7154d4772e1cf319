import { readFileSync } from 'node:fs';

import { startRedis, type Server } from '@lastseat/infra/servers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { RedisClient } from '#src/client/choose-adapter.ts';
import { createQueueLock, createQuorumLock, createSimpleLock, type Locks } from '#src/index.ts';

import { clientLibraries } from './client-libraries.ts';

const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');

/** The rights of a user as PROTOCOL.md lists them. */
function rightsOf(user: string): string[] {
  const line = new RegExp(`^user ${user} on >secret (.+)$`, 'm').exec(protocol)?.[1];
  if (line === undefined) throw new Error(`PROTOCOL.md does not list the rights of ${user}`);
  return line.split(' ');
}

const stack = new AsyncDisposableStack();
let server: Server;
let admin: Redis;
beforeAll(async () => {
  server = stack.use(await startRedis());
  admin = stack.adopt(new Redis(server.url), (redis) => redis.disconnect());
});
afterAll(() => stack.disposeAsync());

let users = 0;

/** How to connect as a user who has these rights and no others. */
async function createUser(rights: readonly string[]) {
  users += 1;
  const name = `user${users}`;
  await admin.call('ACL', 'SETUSER', name, 'reset', 'on', '>secret', ...rights);
  return (library: keyof typeof clientLibraries = 'ioredis', db = 0): RedisClient => {
    const { client, disconnect } = clientLibraries[library](
      server.url.replace('//', `//${name}:secret@`) + `/${db}`,
    );
    stack.defer(disconnect);
    return client;
  };
}

type Connect = Awaited<ReturnType<typeof createUser>>;
type Library = Parameters<Connect>[0];

/** Three databases of one server stand for three servers, and choosing one takes a right. */
const toChooseDatabases = '+select';

interface Checked extends Locks {
  check(): Promise<{ level: string; message: string }[]>;
}

const kinds = [
  {
    user: 'queue-lock',
    open: (as: Connect, library: Library): Checked => createQueueLock(as(library), { pollMs: 20 }),
  },
  { user: 'simple-lock', open: (as: Connect, library: Library): Checked => createSimpleLock(as(library)) },
  {
    user: 'quorum-lock',
    open: (as: Connect, library: Library): Checked =>
      createQuorumLock([0, 1, 2].map((db) => as(library, db))),
  },
];

/** Whatever a lock does: scripts are sent, somebody waits, gives up, is handed the lock, and dies while it waits. */
async function expectAllWorks(one: Locks, other: Locks): Promise<void> {
  await admin.script('FLUSH');
  const lease = await one.acquire('seat');
  await lease.extend();
  expect(await other.tryAcquire('seat')).toBeNull();
  await expect(other.acquire('seat', { waitMs: 100 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
  const waits = [one, other, one, other].map((locks) =>
    locks.withLock('seat', { waitMs: 30_000 }, ({ token }) => token),
  );
  await lease.release();
  for (const token of await Promise.all(waits)) expect(token).toBeGreaterThan(lease.token);
}

describe.each(kinds)('a user with the least rights for a $user', ({ user, open }) => {
  test.each(Object.keys(clientLibraries) as (keyof typeof clientLibraries)[])(
    'can do all that a lock does, with %s',
    async (library) => {
      const as = await createUser([...rightsOf(user), toChooseDatabases]);
      await using one = open(as, library);
      await using other = open(as, library);
      await expectAllWorks(one, other);
    },
  );

  test('is found to have all of them', async () => {
    const as = await createUser([...rightsOf(user), toChooseDatabases]);
    await using locks = open(as, 'ioredis');
    expect(await locks.check()).toEqual([]);
  });

  test('is told which one is missing', async () => {
    const rights = rightsOf(user);
    for (const missing of rights) {
      const as = await createUser([...rights.filter((right) => right !== missing), toChooseDatabases]);
      await using locks = open(as, 'ioredis');
      // The name of the command, or for keys and channels that they may not be used.
      const named = missing.startsWith('+') ? missing.slice(1).replace(/\|.*/, '') : '(key|channel)';
      const errors = (await locks.check()).filter(({ level }) => level === 'error');
      expect(errors.map(({ message }) => message).join()).toMatch(new RegExp(String.raw`\b${named}`, 'i'));
    }
  });
});

test('a lock that may not do what it needs says so, and does not wait in vain', async () => {
  const rights = rightsOf('queue-lock');
  for (const missing of ['+evalsha', '+hset', '~{lock:*']) {
    const as = await createUser(rights.filter((right) => right !== missing));
    await using locks = createQueueLock(as());
    await expect(locks.acquire('seat')).rejects.toThrow(/NOPERM|ermission|can't/);
  }
});
