import { expect, onTestFinished, test } from 'vitest';

import { createMemoryLock, createMemoryServer, type MemoryLockOptions } from '#src/index.ts';

// That it is a lock like the others is shown by the suite of all of them; here is what tests of programs ask of it.

function open(options?: MemoryLockOptions) {
  const locks = createMemoryLock(options);
  onTestFinished(() => locks.close());
  return locks;
}

test('locks over one server keep each other out; over two servers they do not', async () => {
  const server = createMemoryServer();
  const [mine, theirs] = [open({ server }), open({ server })];
  const lease = await mine.acquire('seat');
  expect(await theirs.tryAcquire('seat')).toBeNull();
  expect(await open().tryAcquire('seat')).not.toBeNull();
  const next = theirs.acquire('seat');
  await lease.release();
  expect((await next).token).toBeGreaterThan(lease.token);
});

test('a program is told that its lock was lost', async () => {
  const server = createMemoryServer();
  const work = open({ server }).withLock('seat', () => server.loseLock('seat'));
  await expect(work).rejects.toMatchObject({ code: 'LOCK_LOST', why: 'gone' });
});

test('a program is told that Redis is away, and that it is back', async () => {
  const server = createMemoryServer();
  const locks = open({ server, commandTimeoutMs: 20 });
  server.fallSilent();
  await expect(locks.tryAcquire('seat')).rejects.toMatchObject({ code: 'LOCK_UNAVAILABLE' });
  server.recover();
  await expect(locks.withLock('seat', () => 'back')).resolves.toBe('back');
});

test('a server that was silent from the beginning serves those who waited, in their order', async () => {
  const server = createMemoryServer();
  server.fallSilent();
  const [mine, theirs] = [open({ server, commandTimeoutMs: 20 }), open({ server, commandTimeoutMs: 20 })];
  const waits = [mine, theirs, mine].map((locks) => locks.withLock('seat', ({ token }) => token));
  server.recover();
  expect(new Set(await Promise.all(waits)).size).toBe(3);
});

test('tokens rise although all data is lost in between', async () => {
  const server = createMemoryServer();
  const locks = open({ server });
  const first = await locks.withLock('seat', ({ token }) => token);
  server.flush();
  expect(await locks.withLock('seat', ({ token }) => token)).toBeGreaterThan(first);
});

test('its options are checked as those of the queue lock, but for its server', () => {
  expect(() => createMemoryLock({ ttlMs: 1 })).toThrow(RangeError);
  expect(() => createMemoryLock({ servr: createMemoryServer() } as never)).toThrow('no option "servr"');
});
