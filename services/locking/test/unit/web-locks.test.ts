import { setImmediate as afterReactions } from 'node:timers/promises';

import { expect, onTestFinished, test, vi } from 'vitest';

import { createWebLocks, LockLostError } from '#src/index.ts';
import { createLease } from '#src/lease.ts';
import type { Locks } from '#src/lock.ts';

import { createHandClock } from '../hand-clock.ts';

const ttlMs = 1_000;

/** Web locks whose requests are given a lease on a clock of ours. */
function setUp() {
  const clock = createHandClock();
  const lease = createLease(
    {
      name: 'seat',
      holder: 'me:1',
      token: 7,
      ttlMs,
      renew: false,
      maxHoldMs: Infinity,
      sentAtMs: clock.now(),
    },
    { extend: () => Promise.resolve('held'), release: () => Promise.resolve('released') },
    clock.timers,
  );
  const locks = { acquire: () => Promise.resolve(lease) } as unknown as Locks;
  const unhandled = vi.fn<(reason: unknown) => void>();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => void process.off('unhandledRejection', unhandled));
  return { clock, unhandled, ...createWebLocks(locks) };
}

const broken = { name: 'AbortError', cause: { name: 'LockLostError', why: 'deadline' } };

test('a lock that is lost before its callback could begin is broken, and the callback does not run', async () => {
  const { clock, unhandled, request } = setUp();
  const callback = vi.fn<() => void>();
  clock.block(ttlMs);
  await expect(request('seat', callback)).rejects.toMatchObject(broken);
  expect(callback).not.toHaveBeenCalled();
  await afterReactions();
  expect(unhandled).not.toHaveBeenCalled();
});

test('a callback that throws at once, after it has lost the lock, leaves no rejection that nobody handles', async () => {
  const { clock, unhandled, request } = setUp();
  const failure = new Error('thrown');
  const failing = request('seat', ({ lease }) => {
    clock.block(ttlMs);
    expect(lease.signal.reason).toBeInstanceOf(LockLostError);
    throw failure;
  });
  // Either is true; what matters is that the caller hears of one, and the process of nothing.
  await expect(failing).rejects.toSatisfy((error: Error) => error === failure || error.name === 'AbortError');
  await afterReactions();
  expect(unhandled).not.toHaveBeenCalled();
});
